<?php

declare(strict_types=1);

namespace Hopproof;

/**
 * I-JSON (RFC 7493) as PHP values that can be written back as they came. The rules of webapp/hopproof/ijson.py.
 *
 * A JSON object is a PHP array, as programs expect, and a list is a list. An object that no array can tell
 * from a list, `{}` or `{"0": …}`, is a stdClass.
 */
final class Json
{
    public const MAX_INTEGER = 2 ** 53 - 1;
    private const MAX_DEPTH = 16;
    private const WRITE = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_LINE_TERMINATORS
        | JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR;
    // RFC 7493 section 2.1: the last two of each plane, and a block of 32. Surrogates json_decode refuses itself.
    private const NONCHARACTER = '/[\x{FDD0}-\x{FDEF}\x{FFFE}\x{FFFF}\x{1FFFE}\x{1FFFF}\x{2FFFE}\x{2FFFF}\x{3FFFE}\x{3FFFF}'
        . '\x{4FFFE}\x{4FFFF}\x{5FFFE}\x{5FFFF}\x{6FFFE}\x{6FFFF}\x{7FFFE}\x{7FFFF}\x{8FFFE}\x{8FFFF}\x{9FFFE}\x{9FFFF}'
        . '\x{AFFFE}\x{AFFFF}\x{BFFFE}\x{BFFFF}\x{CFFFE}\x{CFFFF}\x{DFFFE}\x{DFFFF}\x{EFFFE}\x{EFFFF}\x{FFFFE}\x{FFFFF}'
        . '\x{10FFFE}\x{10FFFF}]/u';
    private const TOKEN = '/"(?:[^"\\\\]++|\\\\.)*+"|-?\d[\d.eE+-]*+|[{}\[\]:,]/';

    /** Return the value that a text from outside spells. Throws NotIJson. */
    public static function parse(string $text): mixed
    {
        try {
            $value = self::decode($text);
        } catch (\JsonException $error) {
            throw new NotIJson('not JSON: ' . $error->getMessage(), previous: $error);
        }
        self::refuseWhatDecodingHides($text);
        self::check($value);
        return $value;
    }

    /** Return the value of a text that the session table holds. */
    public static function decode(string $text): mixed
    {
        // PHP cannot decode an object with a name that begins with U+0000. So each such string gets U+FFFF, which
        // is in no I-JSON text, in front, and loses it afterwards. An opening quote has no backslash before it.
        $text = preg_replace('/(?<!\\\\)"(?=\\\\u0000)/', "\"\u{FFFF}", $text);
        return self::plain(json_decode($text, flags: JSON_THROW_ON_ERROR));
    }

    /** Return the members of an object that the session table holds. */
    public static function members(string $text): array
    {
        return (array) self::decode($text);
    }

    /** Return the text of a value that is to be stored under the top-level key. Throws SessionRefused. */
    public static function encode(mixed $value, string $key): string
    {
        try {
            self::check($key);
            self::check($value);
            return json_encode($value, self::WRITE);
        } catch (NotIJson $error) {
            $name = json_encode($key, JSON_INVALID_UTF8_SUBSTITUTE);
            throw new SessionRefused('not-i-json', "$name cannot be stored: {$error->getMessage()}", $key, $error);
        }
    }

    private static function plain(mixed $value): mixed
    {
        if (is_string($value)) {
            return str_starts_with($value, "\u{FFFF}\0") ? substr($value, 3) : $value;
        }
        if (is_array($value)) {
            return array_map(self::plain(...), $value);
        }
        if (!$value instanceof \stdClass) {
            return $value;
        }
        $members = [];
        foreach ((array) $value as $name => $member) {
            $members[self::plain($name)] = self::plain($member);
        }
        return array_is_list($members) ? (object) $members : $members;
    }

    /** json_decode takes the last of two members of one name, and makes a float of an integer that is too large. */
    private static function refuseWhatDecodingHides(string $text): void
    {
        if (!preg_match_all(self::TOKEN, $text, $found)) {
            return; // true, false or null
        }
        $open = [];
        foreach ($found[0] as $at => $token) {
            if ($token === '{' || $token === '[') {
                $open[] = [];
            } elseif ($token === '}' || $token === ']') {
                array_pop($open);
            } elseif ($token[0] === '"') {
                $string = json_decode($token);
                self::check($string);
                if (($found[0][$at + 1] ?? '') === ':') {
                    if (isset($open[array_key_last($open)][$string])) {
                        throw new NotIJson('an object has two members of one name');
                    }
                    $open[array_key_last($open)][$string] = true;
                }
            } elseif (preg_match('/^-?\d+$/', $token) && abs((float) $token) > self::MAX_INTEGER) {
                throw new NotIJson('an integer leaves ±(2^53-1)');
            }
        }
    }

    private static function check(mixed $value, int $depth = 0): void
    {
        if (is_string($value)) {
            if (!preg_match('//u', $value)) {
                throw new NotIJson('a string is not UTF-8');
            }
            if (preg_match(self::NONCHARACTER, $value)) {
                throw new NotIJson('a string has a noncharacter');
            }
        } elseif (is_int($value)) {
            if (abs($value) > self::MAX_INTEGER) {
                throw new NotIJson('an integer leaves ±(2^53-1)');
            }
        } elseif (is_float($value)) {
            if (!is_finite($value)) {
                throw new NotIJson('a number is not finite');
            }
        } elseif (is_array($value) || ($value instanceof \stdClass)) {
            if ($depth === self::MAX_DEPTH) {
                throw new NotIJson('nested deeper than ' . self::MAX_DEPTH . ' containers');
            }
            foreach ((array) $value as $name => $member) {
                self::check($name);
                self::check($member, $depth + 1);
            }
        } elseif ($value !== null && !is_bool($value)) {
            throw new NotIJson(get_debug_type($value) . ' is no JSON type');
        }
    }
}

/** The text or value is not I-JSON. The message says which rule was broken. */
final class NotIJson extends \UnexpectedValueException
{
}
