% from zlib import crc32
% trail, count = visits["trail"], visits["count"]
% hops = sum(before != after for before, after in zip(trail, trail[1:]))
% servers = sorted(set(trail))
% rebase("layout", title=f"Visit {count}, served by {server}")
%
% # The content security policy allows no inline style, so a name picks one of the style sheet's
% # classes. Shape as well as hue: some people do not see hues, and two names can share one.
% def looks(name):
%   number = crc32(name.encode())
%   return f"hue-{number % 12} shape-{number // 12 % 4}"
% end
% def short(name):
%   return name.removeprefix("web-")[:6]
% end
% def in_words(seconds):
%   minutes = seconds // 60
%   return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"
% end
% def ago(seconds):
%   return "just now" if seconds < 60 else f"{in_words(seconds)} ago"
% end
% # Rounded up: unused_s is an upper bound.
% def within(seconds):
%   return f"in the last {in_words(max(seconds, 0) + 59) if seconds > 60 else 'minute'}"
% end
% # More sessions than a person has. A user of the load test has thousands.
% SHOWN = 8
% def many(n, noun):
%   return f"{n or 'no'} {noun}{'' if n == 1 else 's'}"
% end
<main>
<section class="served {{looks(server)}}">
<hgroup>
<h1><span class="label">This page came from</span> <span class="server"><span class="mark"></span>{{short(server)}}</span></h1>
<p class="full-name">{{server}}</p>
</hgroup>
<p class="visit"><span class="label">Your visit</span> <strong>{{count}}</strong></p>
<a class="button" href="/">Visit again</a>
</section>

<p class="lead">A balancer deals your requests out to identical servers in turn, and no server remembers you.
Your visits, your tea and your name are kept in one table that all of them share.
So the server above changes, and nothing else does.</p>

<div class="columns">
<div>
<section>
<h2>Your trail</h2>
% if count == 1:
<p>Your first visit. Visit again, and see who answers.</p>
% elif hops == 0:
<p>{{count}} visits, no hop yet. Once more, unless there is only one server.</p>
% elif count == len(trail):
<p>{{many(count, "visit")}}, {{many(hops, "hop")}}, {{many(len(servers), "server")}}; nothing lost.</p>
% else:
<p>{{count}} visits; in the last {{len(trail)}}, {{many(hops, "hop")}}, {{many(len(servers), "server")}}; nothing lost.</p>
% end
<ol class="trail" start="{{count - len(trail) + 1}}">
% for before, name in zip([trail[0], *trail], trail):
<li class="lane-{{servers.index(name)}}"><span class="server {{looks(name)}}"><span class="mark"></span>{{short(name)}}</span>
% if name != before:
<span class="hop">hop</span>
% end
</li>
% end
</ol>
</section>

<section id="you">
<h2>{{"Your name" if user is None else "Your sessions"}}</h2>
% if user is None:
<form method="post" action="/login#you" class="row">
<label for="user">Name</label>
<input id="user" name="user" maxlength="64" required autocomplete="username" autocapitalize="words">
<button>Log in</button>
</form>
<p class="note">Any name will do; there is no password. You get a new session id and keep your tea.</p>
% else:
<p>You are logged in as <strong>{{user}}</strong>, in {{"this browser only" if len(sessions) == 1 else many(len(sessions), "browser")}}.</p>
<ul class="sessions">
% for listed in sessions[:SHOWN]:
% name = listed.key.hex()[:6]
<li>
<form method="post" action="/end-session#you">
<input type="hidden" name="key" value="{{listed.key.hex()}}">
<p><code>{{name}}</code>
% if listed.key == this:
<strong>this browser</strong>
% end
<span class="times">logged in {{ago(listed.age_s)}}, used {{within(listed.unused_s)}}</span></p>
<button aria-label="End session {{name}}">End</button>
</form>
</li>
% end
</ul>
% if len(sessions) > SHOWN:
<p>And {{len(sessions) - SHOWN}} more.</p>
% end
<div class="row">
<form method="post" action="/logout#you"><button>Log out</button></form>
<form method="post" action="/logout-everywhere#you"><button>Log out everywhere</button></form>
</div>
<p class="note">The end of a session ends its tea, too, on every server at once. To see a second session,
log in as {{user}} in another browser or a private window, and visit again here.</p>
% end
</section>
</div>

<section id="cart">
<h2>Your tea</h2>
% pieces = sum(cart.values())
<p>{{many(pieces, "packet").capitalize()}} in your cart.</p>
% # The fragment survives the redirect (RFC 9110, 10.2.2), so the page comes back where the visitor was.
<ul class="teas">
% for tea in teas:
% n = cart.get(tea, 0)
<li>
<form method="post" action="/cart#cart">
<input type="hidden" name="tea" value="{{tea}}">
<span class="tea">{{tea}}</span>
<button name="action" value="remove" aria-label="Remove one {{tea}}"{{"" if n else " disabled"}}>−</button>
<span class="pieces">{{n}}</span>
<button name="action" value="add" aria-label="Add one {{tea}}">+</button>
</form>
</li>
% end
</ul>
</section>
</div>

<section>
<h2>Try to break it</h2>
<ul class="tries">
<li>Open this page in a second tab and add tea in both, as fast as you can. Every packet counts.</li>
<li>Stop the server that you are looking at, then visit again:
<pre><code>docker stop {{server.removeprefix("web-")}}</code></pre></li>
<li>Repeat this without a browser. <code>X-Served-By</code> changes, the value only rises:
<pre><code>curl -i -c jar -b jar -X POST {{address}}/api/session/counters/n</code></pre></li>
</ul>
</section>
</main>
