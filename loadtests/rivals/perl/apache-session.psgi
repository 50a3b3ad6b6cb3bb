# Apache::Session::MySQL, with its lock from the read to the write, under Plack.
# A visitor without a session gets a new one and each answer repeats the cookie, as in the page's example "Tracking
# users with cookies". The module has no change of an id: a login deletes the session and copies its data to a new one.

use v5.36;
use Apache::Session::MySQL;
use Plack::Request;
use Plack::Response;
use Probe;

# Returns the session with this id, a new one for undef. Dies if there is none.
sub opened ($id) {
    my $connection = Probe::connection();
    tie my %session, 'Apache::Session::MySQL', $id, { Handle => $connection, LockHandle => $connection };
    return \%session;
}

sub found_or_new ($id) {
    my $session = eval { opened($id) };
    return $session if $session;
    die $@ unless $@ =~ /^(?:Object does not exist in the data store|Invalid session ID)/;
    return opened(undef);
}

sub renewed ($session) {
    my %data = %$session;
    delete $data{_session_id};
    tied(%$session)->delete;
    untie %$session;
    my $new = opened(undef);
    $new->{$_} = $data{$_} for keys %data;
    return $new;
}

sub ($env) {
    my $request = Plack::Request->new($env);
    my $session = found_or_new($request->cookies->{session});
    my $has_ended;
    my $answer = Probe::respond(
        $request, $session,
        login  => sub { $session = renewed($session) },
        logout => sub { tied(%$session)->delete; $has_ended = 1 },
    );
    my $response = Plack::Response->new(@$answer);
    $response->cookies->{session} = {
        value    => $has_ended ? '' : $session->{_session_id},
        path     => '/',
        httponly => 1,
        samesite => 'Lax',
        $has_ended ? (expires => 1) : (),
    };
    untie %$session;    # Writes it, and releases the lock.
    return $response->finalize;
};
