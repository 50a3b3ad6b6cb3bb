# frozen_string_literal: true

# The store named by PEER, with the headers and checks for the balancer.

require_relative "probe"
require_relative ENV.fetch("PEER")

signed = { "x-served-by" => Probe::SERVER, "cache-control" => "no-store" }

run(lambda do |env|
  status, headers, body =
    case env["PATH_INFO"]
    when "/healthz", "/readyz"
      [200, {}, []]
    when "/api/stateless"
      [200, { "content-type" => "application/json" }, [JSON.generate(server: Probe::SERVER)]]
    else
      begin
        STORE.call(env)
      rescue StandardError => e
        warn e.full_message
        [500, {}, []]
      end
    end
  [status, headers.merge(signed), body]
end)
