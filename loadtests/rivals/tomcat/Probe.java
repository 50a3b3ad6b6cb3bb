import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The probe API on Tomcat's sessions. ../probe.py is the same for Python's stores. */
public final class Probe extends HttpServlet {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String USER = "_user";
    private static final String SERVER = "web-" + hostname();

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setHeader("X-Served-By", SERVER);
        response.setHeader("Cache-Control", "no-store");
        String path = request.getPathInfo();
        String key = path.startsWith("/api/session/") ? path.substring(path.lastIndexOf('/') + 1) : "";
        switch (request.getMethod() + " " + path.substring(0, path.length() - key.length())) {
            case "GET /readyz", "GET /healthz" -> response.setStatus(200);
            case "GET /api/stateless" -> answer(response, Map.of("server", SERVER));
            case "GET /api/session" -> answer(response, shown(request.getSession(false)));
            case "PUT /api/session/data/" -> {
                request.getSession().setAttribute(key, JSON.readValue(request.getInputStream(), Object.class));
                response.setStatus(204);
            }
            case "DELETE /api/session/data/" -> {
                request.getSession().removeAttribute(key);
                response.setStatus(204);
            }
            case "POST /api/session/counters/" -> {
                HttpSession session = request.getSession();
                int count = session.getAttribute(key) instanceof Number before ? before.intValue() + 1 : 1;
                session.setAttribute(key, count);
                answer(response, Map.of("value", count));
            }
            case "POST /api/session/lists/" -> {
                HttpSession session = request.getSession();
                List<Object> items = new ArrayList<>();
                if (session.getAttribute(key) instanceof List<?> before) {
                    items.addAll(before);
                }
                items.add(JSON.readValue(request.getInputStream(), Object.class));
                session.setAttribute(key, items);
                answer(response, Map.of("length", items.size()));
            }
            case "POST /api/login" -> {
                Object user = JSON.readValue(request.getInputStream(), Map.class).get("user");
                HttpSession session = request.getSession();
                request.changeSessionId();
                session.setAttribute(USER, user);
                answer(response, Map.of("user", user));
            }
            case "POST /api/logout" -> {
                HttpSession session = request.getSession(false);
                if (session != null) {
                    session.invalidate();
                }
                response.setStatus(204);
            }
            default -> response.setStatus(404);
        }
    }

    private static Map<String, Object> shown(HttpSession session) {
        Map<String, Object> data = new HashMap<>();
        Object user = null;
        if (session != null) {
            for (String name : Collections.list(session.getAttributeNames())) {
                data.put(name, session.getAttribute(name));
            }
            user = data.remove(USER);
        }
        Map<String, Object> shown = new HashMap<>(Map.of("server", SERVER, "data", data));
        shown.put("user", user);
        return shown;
    }

    private static void answer(HttpServletResponse response, Object value) throws IOException {
        response.setContentType("application/json");
        // Not the stream itself: Jackson closes it, and the answer would leave before the session is stored.
        response.getOutputStream().write(JSON.writeValueAsBytes(value));
    }

    private static String hostname() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException error) {
            throw new IllegalStateException(error);
        }
    }
}
