# frozen_string_literal: true

# A Rails site whose one view is the probe API, with its sessions in its cache, and the cache in Redis.
# Rails' defaults. A login and a logout call reset_session, as the guide on security says; a login takes the data along.

require "action_controller/railtie"

class Site < Rails::Application
  config.load_defaults "7.2"
  config.eager_load = true
  config.secret_key_base = "only for the comparison"
  config.logger = Logger.new($stderr)
  config.log_level = :warn
  config.cache_store = :redis_cache_store, { url: "redis://valkey:6379/0" }
  config.session_store :cache_store, key: "session"
  routes.append { match "*path", to: "probe#serve", via: :all, format: false }
end

# Before the controller, which inherits what this sets.
STORE = Site.initialize!

class ProbeController < ActionController::Base
  # Of forms, of which the probe API has none.
  skip_forgery_protection

  def serve
    status, text = Probe.respond(
      request.request_method, request.path, request.raw_post, session,
      login: method(:renew_session), logout: method(:reset_session),
    )
    text ? render(json: text, status:) : head(status)
  end

  private

  def renew_session
    data = session.to_hash
    reset_session
    session.update(data)
  end
end
