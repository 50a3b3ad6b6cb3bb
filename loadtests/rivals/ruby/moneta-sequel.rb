# frozen_string_literal: true

# Rack::Session::Moneta on Sequel, Moneta's adapter for SQL, in a Rack application. It creates its table itself.
# The options are those of the README's example, with a shorter time. A login sets :renew, the option of
# Rack's sessions for a new id; a logout calls destroy.

require "moneta"
require "rack"
require "rack/session"
require "rack/session/moneta"

database = {
  adapter: "mysql2",
  host: ENV.fetch("DB_HOST", "db"),
  database: ENV.fetch("DB_NAME"),
  user: ENV.fetch("DB_USER"),
  password: File.read(ENV.fetch("DB_PASSWORD_FILE")).strip,
  ssl_mode: :disabled, # as ours
}

STORE = Rack::Builder.app do
  use Rack::Session::Moneta, key: "session", path: "/", expire_after: 1800,
                             store: Moneta.new(:Sequel, db: database, expires: true)
  run(lambda do |env|
    request = Rack::Request.new(env)
    session = request.session
    status, text = Probe.respond(
      request.request_method, request.path_info, request.body&.read, session,
      login: -> { session.options[:renew] = true },
      logout: -> { session.destroy },
    )
    [status, text ? { "content-type" => "application/json" } : {}, [*text]]
  end)
end
