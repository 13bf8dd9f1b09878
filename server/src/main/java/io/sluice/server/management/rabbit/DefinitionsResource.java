package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import com.rabbitmq.client.Channel;
import io.netty.handler.codec.http.HttpMethod;
import io.sluice.routing.VirtualHost;
import io.sluice.server.management.Reply;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * {@code /api/definitions[/VHOST]}: exchanges, queues and bindings that last, out and in. An import declares what is missing and
 * stops at the first refusal; what holds users, permissions, parameters or policies beside those that there are is refused before
 * anything is declared. Stateless.
 */
final class DefinitionsResource {
    private static final String QUEUES = "queues";
    private static final String EXCHANGES = "exchanges";
    private static final String BINDINGS = "bindings";
    private static final String VHOST = "vhost";
    private static final String NAME = "name";
    private static final Set<String> NOT_KEPT = Set.of(
            "parameters", "global_parameters", "policies", "operator_policies", "topic_permissions", "vhost-limits");

    private DefinitionsResource() {}

    static Reply answer(Api api) {
        VirtualHost only = api.part(1) == null ? null : api.host(1);
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, export(api, only));
        }
        Methods.allow(api, HttpMethod.POST);
        load(api, only);
        return Reply.empty(NO_CONTENT);
    }

    private static Map<String, @Nullable Object> export(Api api, @Nullable VirtualHost only) {
        List<Map<String, @Nullable Object>> queues = new ArrayList<>();
        List<Map<String, @Nullable Object>> exchanges = new ArrayList<>();
        List<Map<String, @Nullable Object>> bindings = new ArrayList<>();
        for (VirtualHost host : only == null ? api.broker().virtualHosts() : List.of(only)) {
            boolean all = only == null;
            for (Map<String, @Nullable Object> queue : Views.queues(api.broker(), host)) {
                if (lasts(queue) && !Boolean.TRUE.equals(queue.get("exclusive"))) {
                    queues.add(some(queue, all, NAME, "type", "durable", "auto_delete", "arguments"));
                }
            }
            host.table().exchanges().stream()
                    .map(exchange -> Views.exchange(host, exchange))
                    .filter(DefinitionsResource::isOfClients)
                    .filter(DefinitionsResource::lasts)
                    .forEach(exchange -> exchanges.add(
                            some(exchange, all, NAME, "type", "durable", "auto_delete", "internal", "arguments")));
            for (Map<String, @Nullable Object> binding : Views.bindings(api.broker(), host)) {
                if (!"".equals(binding.get("source"))) {
                    bindings.add(some(
                            binding, all, "source", "destination", "destination_type", "routing_key", "arguments"));
                }
            }
        }
        Map<String, @Nullable Object> view = OverviewResource.versions();
        view.remove("rates_mode");
        view.remove("management_version");
        view.put("rabbit_version", OverviewResource.COMPATIBLE_WITH);
        if (only == null) {
            view.put("users", List.of());
            view.put(
                    "vhosts",
                    api.broker().virtualHosts().stream()
                            .map(host -> Map.of(NAME, host.name()))
                            .toList());
            view.put("permissions", List.of());
            view.put("topic_permissions", List.of());
            view.put("global_parameters", List.of());
        }
        view.put("parameters", List.of());
        view.put("policies", List.of());
        view.put(QUEUES, queues);
        view.put(EXCHANGES, exchanges);
        view.put(BINDINGS, bindings);
        return view;
    }

    private static boolean lasts(Map<String, @Nullable Object> object) {
        return Boolean.TRUE.equals(object.get("durable"));
    }

    private static boolean isOfClients(Map<String, @Nullable Object> exchange) {
        String name = String.valueOf(exchange.get(NAME));
        return !name.isEmpty() && !name.startsWith("amq.");
    }

    private static Map<String, @Nullable Object> some(
            Map<String, @Nullable Object> view, boolean withHost, String... names) {
        Map<String, @Nullable Object> some = new LinkedHashMap<>();
        for (String name : names) {
            some.put(name, view.get(name));
        }
        if (withHost) {
            some.put(VHOST, view.get(VHOST));
        }
        return some;
    }

    private static void load(Api api, @Nullable VirtualHost only) {
        Map<String, @Nullable Object> body = api.body();
        for (String part : NOT_KEPT) {
            if (!list(body, part).isEmpty()) {
                throw ApiException.badRequest("Definitions with " + part + " cannot be taken yet.");
            }
        }
        for (String part : List.of("users", "permissions")) {
            for (Map<String, @Nullable Object> one : list(body, part)) {
                Object user = one.containsKey("user") ? one.get("user") : one.get(NAME);
                if (!"guest".equals(user)) {
                    throw ApiException.badRequest(
                            "Definitions with " + part + " other than guest's cannot be taken yet.");
                }
            }
        }
        for (Map<String, @Nullable Object> host : list(body, "vhosts")) {
            host(api, only, String.valueOf(host.get(NAME)));
        }
        Map<String, List<Step>> steps = new LinkedHashMap<>();
        for (Map<String, @Nullable Object> exchange : list(body, EXCHANGES)) {
            String name = Api.required(exchange, NAME, String.class);
            add(steps, api, only, exchange, channel -> ExchangeResource.declare(channel, name, exchange));
        }
        for (Map<String, @Nullable Object> queue : list(body, QUEUES)) {
            String name = Api.required(queue, NAME, String.class);
            add(steps, api, only, queue, channel -> QueueResource.declare(channel, name, queue));
        }
        for (Map<String, @Nullable Object> binding : list(body, BINDINGS)) {
            String source = Api.required(binding, "source", String.class);
            String destination = Api.required(binding, "destination", String.class);
            boolean toQueue = "queue".equals(Api.required(binding, "destination_type", String.class));
            add(
                    steps,
                    api,
                    only,
                    binding,
                    channel -> BindingResource.bind(channel, source, toQueue, destination, binding));
        }
        steps.forEach((vhost, all) -> api.calls().call(api.user(), vhost, channel -> {
            for (Step step : all) {
                step.on(channel);
            }
            return all.size();
        }));
    }

    private interface Step {
        Object on(Channel channel) throws IOException;
    }

    private static void add(
            Map<String, List<Step>> steps,
            Api api,
            @Nullable VirtualHost only,
            Map<String, @Nullable Object> object,
            Step step) {
        String vhost = only != null ? only.name() : String.valueOf(object.getOrDefault(VHOST, "/"));
        steps.computeIfAbsent(host(api, only, vhost), name -> new ArrayList<>()).add(step);
    }

    private static String host(Api api, @Nullable VirtualHost only, String name) {
        if (only == null && api.broker().virtualHost(name) == null) {
            throw ApiException.badRequest("There is no virtual host '" + name + "', and none can be made yet.");
        }
        return only == null ? name : only.name();
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, @Nullable Object>> list(Map<String, @Nullable Object> body, String name) {
        List<?> list = Api.optional(body, name, List.class);
        List<Map<String, @Nullable Object>> objects = new ArrayList<>();
        for (Object object : list == null ? List.of() : list) {
            if (!(object instanceof Map<?, ?> map)) {
                throw ApiException.badRequest("The attribute '" + name + "' is not a list of objects.");
            }
            objects.add((Map<String, @Nullable Object>) map);
        }
        return objects;
    }
}
