-- The requests of wrk: wrk … -s load.lua URL -- WORK [COOKIES]
-- WORK is METHOD PATH STATUS; COOKIES a file with a Cookie header per line, used in turn by all connections.
-- Ends with a line of JSON. An answer with another status is counted as wrong.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local method, path, status = args[1]:match("^(%S+) (%S+) (%d+)$")
  expected, wrong, turn, requests = tonumber(status), 0, 0, {}
  for cookie in args[2] and io.lines(args[2]) or (" "):gmatch(".") do
    -- Without a length some servers wait for a body.
    local headers = { ["Cookie"] = cookie, ["Content-Length"] = method == "POST" and "0" or nil }
    table.insert(requests, wrk.format(method, path, headers))
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function response(status)
  if status ~= expected then
    wrong = wrong + 1
  end
end

function done(summary, latency)
  local wrong = 0
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
  end
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "wrong": %d, "broken": %d, "timeouts": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, wrong, errors.connect + errors.read + errors.write, errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
