package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.CREATED;
import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueStats;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.VirtualHost.Description;
import io.sluice.server.management.Reply;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** {@code /api/vhosts[/NAME[/permissions|topic-permissions|connections|channels]]}. Stateless. */
final class VirtualHostResource {
    private static final String CLASSIC = "classic";

    private VirtualHostResource() {}

    static Reply answer(Api api) {
        String name = api.part(1);
        if (name == null) {
            Methods.allow(api, HttpMethod.GET);
            List<Map<String, @Nullable Object>> views = new ArrayList<>();
            api.broker().virtualHosts().forEach(host -> views.add(view(host)));
            return Reply.json(OK, Listing.of(views, api.request().query()));
        }
        String sub = api.part(2);
        if (sub != null) {
            return part(api, api.host(1), sub);
        }
        if (api.is(HttpMethod.PUT)) {
            return Reply.empty(describe(api, name, api.body()) ? CREATED : NO_CONTENT);
        }
        VirtualHost host = api.host(1);
        if (api.is(HttpMethod.DELETE)) {
            api.await(api.broker().deleteVirtualHost(api.caller(host), name));
            return Reply.empty(NO_CONTENT);
        }
        Methods.allow(api, HttpMethod.GET);
        return Reply.json(OK, view(host));
    }

    private static Reply part(Api api, VirtualHost host, String part) {
        Methods.allow(api, HttpMethod.GET);
        return switch (part) {
            case "permissions" -> Reply.json(OK, List.of(UserResource.permission(host)));
            case "topic-permissions" -> Reply.json(OK, List.of());
            case "connections", "channels" -> {
                List<Map<String, @Nullable Object>> all = part.equals("channels")
                        ? ConnectionResource.channelViews(api)
                        : ConnectionResource.connectionViews(api);
                all.removeIf(one -> !host.name().equals(one.get("vhost")));
                yield Reply.json(OK, Listing.of(all, api.request().query()));
            }
            default -> throw ApiException.notFound();
        };
    }

    /** Makes a virtual host, or describes it anew, as its view or a body says; true if there was none. */
    static boolean describe(Api api, String name, Map<String, @Nullable Object> body) {
        Object type = body.get("default_queue_type");
        if (type != null && !CLASSIC.equals(type) && !"undefined".equals(type)) {
            throw ApiException.notImplemented("The default queue type of a virtual host");
        }
        if (Api.flag(body, "tracing", false)) {
            throw ApiException.notImplemented("Tracing");
        }
        String text = Api.optional(body, "description", String.class);
        return api.await(api.broker()
                .describeVirtualHost(
                        api.caller(), name, new Description(text == null ? "" : text, tags(body.get("tags")))));
    }

    /** A list, or text with commas. */
    private static List<String> tags(@Nullable Object given) {
        List<String> tags = new ArrayList<>();
        if (given instanceof List<?> list) {
            list.forEach(tag -> tags.add(String.valueOf(tag)));
        } else if (given instanceof String text) {
            for (String tag : text.split(",")) {
                if (!tag.isBlank()) {
                    tags.add(tag.trim());
                }
            }
        } else if (given != null) {
            throw ApiException.badRequest("The attribute 'tags' has the wrong type.");
        }
        return List.copyOf(tags);
    }

    private static Map<String, @Nullable Object> view(VirtualHost host) {
        long ready = 0;
        long unacked = 0;
        for (QueueRef queue : host.table().queues()) {
            QueueStats stats = queue.stats();
            ready += stats.ready();
            unacked += stats.unacked();
        }
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.putAll(definition(host));
        view.put("tracing", false);
        view.put("cluster_state", Map.of(Views.NODE, "running"));
        view.put("messages", ready + unacked);
        view.put("messages_ready", ready);
        view.put("messages_unacknowledged", unacked);
        return view;
    }

    /** The part of its view that makes another one like it. */
    static Map<String, @Nullable Object> definition(VirtualHost host) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", host.name());
        view.put("description", Objects.requireNonNull(host.description()).text());
        view.put("tags", host.description().tags());
        view.put("default_queue_type", CLASSIC);
        return view;
    }
}
