<%
headings = {
    400: "That cannot be used",
    404: "There is nothing here",
    405: "There is nothing here",
    409: "Another request was faster",
    413: "That is too much",
    503: "The session table does not answer",
}
ended = problem.kind == "session-gone"
heading = "This session has ended" if ended else headings.get(problem.status, "Something went wrong here")
rebase("layout", title=heading)
%>
<main class="problem">
<h1>{{heading}}</h1>
% if ended:
<p>You logged in or out in another tab or browser, and this request still carried the old session.
Nothing was changed. If another tab of this browser is logged in, try again; if not, start afresh.</p>
% elif problem.status == 503:
<p>The web server runs, but it could not reach the table where your visits, your tea and your name are kept.
An error is better than an empty cart. Everything that was confirmed to you is still in the table; try again in a moment.</p>
% elif problem.status >= 500:
<p>The fault is ours, not yours. Everything that was confirmed to you is still in the table.
If it happens again, start afresh with a new, empty session.</p>
% else:
<p>{{problem.detail}}</p>
<p>Your visits, your tea and your name are as they were.</p>
% end
<div class="row">
<a class="button" href="/">Try again</a>
% if ended or problem.status == 500:
<form method="post" action="/logout"><button>Start afresh</button></form>
% end
</div>
<p class="note">{{problem.status}} {{problem.kind}}</p>
</main>
