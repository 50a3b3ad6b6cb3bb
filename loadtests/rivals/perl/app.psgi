# The store named by PEER, with the headers and checks for the balancer.

use v5.36;
use lib '/app';
use Plack::Util;
use Probe;

my $store = Plack::Util::load_psgi("/app/$ENV{PEER}.psgi");

sub unsigned ($env) {
    my $path = $env->{PATH_INFO};
    return [200, ['Content-Length' => 0], []] if $path eq '/healthz' || $path eq '/readyz';
    return Probe::answer({ server => $Probe::SERVER }) if $path eq '/api/stateless';
    return Plack::Util::run_app($store, $env);    # An error becomes a 500.
}

sub ($env) {
    my $answer = unsigned($env);
    push $answer->[1]->@*, 'X-Served-By' => $Probe::SERVER, 'Cache-Control' => 'no-store';
    return $answer;
};
