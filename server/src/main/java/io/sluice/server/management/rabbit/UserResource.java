package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.routing.VirtualHost;
import io.sluice.server.management.Reply;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code /api/users}, {@code /api/permissions} and {@code /api/topic-permissions}: there is one user, who may do everything. What
 * asks for that is answered as done; every other change is refused with 501. Stateless.
 */
final class UserResource {
    private static final String USER = "guest";
    private static final String EVERYTHING = ".*";
    private static final List<String> KINDS = List.of("configure", "write", "read");

    private UserResource() {}

    static Reply users(Api api) {
        String name = api.part(1);
        if (name == null || name.equals("without-permissions")) {
            Methods.allow(api, HttpMethod.GET);
            List<Map<String, @Nullable Object>> all = name == null ? List.of(user()) : List.of();
            return Reply.json(OK, Listing.of(all, api.request().query()));
        }
        if (!api.is(HttpMethod.GET)) {
            throw ApiException.notImplemented("Users");
        }
        if (!name.equals(USER)) {
            throw ApiException.notFound();
        }
        String sub = api.part(2);
        if (sub == null) {
            return Reply.json(OK, user());
        }
        return switch (sub) {
            case "permissions" -> Reply.json(OK, everything(api));
            case "topic-permissions" -> Reply.json(OK, List.of());
            default -> throw ApiException.notFound();
        };
    }

    static Reply permissions(Api api) {
        if (api.parts() == 1) {
            Methods.allow(api, HttpMethod.GET);
            return Reply.json(OK, Listing.of(everything(api), api.request().query()));
        }
        VirtualHost host = api.host(1);
        if (api.is(HttpMethod.PUT) && USER.equals(api.part(2)) && isEverything(api.body())) {
            return Reply.empty(NO_CONTENT);
        }
        if (!api.is(HttpMethod.GET)) {
            throw ApiException.notImplemented("Permissions");
        }
        if (api.parts() != 3 || !USER.equals(api.part(2))) {
            throw ApiException.notFound();
        }
        return Reply.json(OK, permission(host));
    }

    static Reply topicPermissions(Api api) {
        if (!api.is(HttpMethod.GET)) {
            throw ApiException.notImplemented("Topic permissions");
        }
        return Reply.json(OK, List.of());
    }

    /** True if this is what everybody may do anyway. */
    static boolean isEverything(Map<String, @Nullable Object> permission) {
        return KINDS.stream().allMatch(kind -> EVERYTHING.equals(permission.get(kind)));
    }

    /** What the user may do in each virtual host. */
    static List<Map<String, @Nullable Object>> everything(Api api) {
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (VirtualHost host : api.broker().virtualHosts()) {
            all.add(permission(host));
        }
        return all;
    }

    private static Map<String, @Nullable Object> user() {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", USER);
        view.put("tags", List.of("administrator"));
        view.put("limits", Map.of());
        return view;
    }

    static Map<String, @Nullable Object> permission(VirtualHost host) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("user", USER);
        view.put("vhost", host.name());
        KINDS.forEach(kind -> view.put(kind, EVERYTHING));
        return view;
    }
}
