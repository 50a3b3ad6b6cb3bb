<?php
// The probe API. A login does with the session what SessionGuard does, a logout what the documentation's example does.
// ../probe.py is the same for Python's stores.

declare(strict_types=1);

use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Support\Facades\Route;

function body(Request $request): mixed
{
    return json_decode($request->getContent());
}

function answer(array $value): JsonResponse
{
    return new JsonResponse($value, options: JSON_PRESERVE_ZERO_FRACTION);
}

Route::get('session', function (Request $request) {
    $all = $request->session()->all();
    // A leading underscore: Laravel's own, and the user.
    $data = array_filter($all, fn ($key) => !str_starts_with((string) $key, '_'), ARRAY_FILTER_USE_KEY);
    return answer(['server' => 'web-' . gethostname(), 'user' => $all['_user'] ?? null, 'data' => (object) $data]);
});
Route::put('session/data/{key}', function (Request $request, string $key) {
    $request->session()->put($key, body($request));
    return new Response(status: 204);
});
Route::delete('session/data/{key}', function (Request $request, string $key) {
    $request->session()->forget($key);
    return new Response(status: 204);
});
Route::post('session/counters/{key}', function (Request $request, string $key) {
    return answer(['value' => $request->session()->increment($key)]);
});
Route::post('session/lists/{key}', function (Request $request, string $key) {
    $request->session()->push($key, body($request));
    return answer(['length' => count($request->session()->get($key))]);
});
Route::post('login', function (Request $request) {
    $request->session()->migrate(true);
    $request->session()->put('_user', body($request)->user);
    return answer(['user' => $request->session()->get('_user')]);
});
Route::post('logout', function (Request $request) {
    $request->session()->invalidate();
    $request->session()->regenerateToken();
    return new Response(status: 204);
});
