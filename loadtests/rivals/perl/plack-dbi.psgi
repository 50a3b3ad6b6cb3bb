# Plack::Middleware::Session with Plack::Session::Store::DBI.
# Defaults, except the cookie's name and its flags. A login sets change_id, as the middleware's page says; a logout
# calls expire().

use v5.36;
use Plack::Builder;
use Plack::Request;
use Plack::Session;
use Plack::Session::State::Cookie;
use Plack::Session::Store::DBI;
use Probe;

builder {
    enable 'Session',
        state => Plack::Session::State::Cookie->new(session_key => 'session', httponly => 1, samesite => 'Lax'),
        store => Plack::Session::Store::DBI->new(get_dbh => \&Probe::connection);
    sub ($env) {
        my $session = Plack::Session->new($env);
        return Probe::respond(
            Plack::Request->new($env), $session->session,
            login  => sub { $session->options->{change_id} = 1 },
            logout => sub { $session->expire },
        );
    };
};
