package Probe;

# The probe API on a session that is a hash, and the connection of a store. ../probe.py is the same for Python's stores.

use v5.36;
use Cpanel::JSON::XS;
use DBI;
use Encode 'decode_utf8';
use Sys::Hostname 'hostname';

our $SERVER = 'web-' . hostname;

# Of Perl's JSON modules the one that tells 1.0 from 1.
my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;

# Returns the connection of this process: the same as before, unless the database no longer answers on it.
sub connection {
    my $host = $ENV{DB_HOST} || 'db';
    return DBI->connect_cached(
        "dbi:mysql:database=$ENV{DB_NAME};host=$host",
        $ENV{DB_USER}, password(), { RaiseError => 1, PrintError => 0 },
    );
}

sub password {
    open my $file, '<', $ENV{DB_PASSWORD_FILE} or die "$ENV{DB_PASSWORD_FILE}: $!";
    chomp(my $password = <$file>);
    return $password;
}

sub answer ($value) {
    return [200, ['Content-Type' => 'application/json'], [$json->encode($value)]];
}

# Returns the answer. Names with a leading underscore are the store's, and the user.
# login does the store's steps for a visitor who gets more rights; logout ends the session.
sub respond ($request, $session, %steps) {
    my (undef, undef, @words) = map { decode_utf8($_) } split m{/}, $request->path_info, 5;
    my $key   = $words[2];
    my $route = join ' ', $request->method, grep { defined } @words[0, 1];
    if ($route eq 'GET session') {
        my %data = map { $_ => $session->{$_} } grep { !/^_/ } keys %$session;
        return answer({ server => $SERVER, user => $session->{_user}, data => \%data });
    }
    if ($route eq 'PUT session data') {
        $session->{$key} = $json->decode($request->content);
        return [204, [], []];
    }
    if ($route eq 'DELETE session data') {
        delete $session->{$key};
        return [204, [], []];
    }
    if ($route eq 'POST session counters') {
        $session->{$key} = ($session->{$key} // 0) + 1;
        return answer({ value => $session->{$key} });
    }
    if ($route eq 'POST session lists') {
        my @items = (($session->{$key} // [])->@*, $json->decode($request->content));
        $session->{$key} = \@items;
        return answer({ length => scalar @items });
    }
    if ($route eq 'POST login') {
        my $user = $session->{_user} = $json->decode($request->content)->{user};
        $steps{login}->();
        return answer({ user => $user });
    }
    if ($route eq 'POST logout') {
        $steps{logout}->();
        return [204, [], []];
    }
    return [404, [], []];
}

1;
