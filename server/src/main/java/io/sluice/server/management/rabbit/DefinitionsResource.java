package io.sluice.server.management.rabbit;

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
 * {@code /api/definitions[/VHOST]}: virtual hosts, policies, and the exchanges, queues and bindings that last, out and in ({@link
 * DefinitionsImport}). Stateless.
 */
final class DefinitionsResource {
    private static final String QUEUES = "queues";
    private static final String EXCHANGES = "exchanges";
    private static final String BINDINGS = "bindings";
    private static final String VHOST = "vhost";
    private static final String NAME = "name";

    private DefinitionsResource() {}

    static Reply answer(Api api) {
        VirtualHost only = api.part(1) == null ? null : api.host(1);
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, export(api, only));
        }
        Methods.allow(api, HttpMethod.POST);
        return new DefinitionsImport(api, only).run(api.body());
    }

    private static Map<String, @Nullable Object> export(Api api, @Nullable VirtualHost only) {
        List<Map<String, @Nullable Object>> queues = new ArrayList<>();
        List<Map<String, @Nullable Object>> exchanges = new ArrayList<>();
        List<Map<String, @Nullable Object>> bindings = new ArrayList<>();
        List<Map<String, @Nullable Object>> policies = new ArrayList<>();
        List<Map<String, @Nullable Object>> parameters = new ArrayList<>();
        for (VirtualHost host : only == null ? api.broker().virtualHosts() : List.of(only)) {
            boolean all = only == null;
            for (Map<String, @Nullable Object> policy : PolicyResource.list(host, false)) {
                policies.add(some(policy, all, NAME, "pattern", "apply-to", "definition", "priority"));
            }
            for (Map<String, @Nullable Object> policy : PolicyResource.list(host, true)) {
                parameters.add(parameter(policy, all));
            }
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
                            .map(VirtualHostResource::definition)
                            .toList());
            view.put("permissions", List.of());
            view.put("topic_permissions", List.of());
            view.put("global_parameters", List.of());
        }
        view.put("parameters", parameters);
        view.put("policies", policies);
        view.put(QUEUES, queues);
        view.put(EXCHANGES, exchanges);
        view.put(BINDINGS, bindings);
        return view;
    }

    /** An operator policy; RabbitMQ writes those down as parameters. */
    private static Map<String, @Nullable Object> parameter(Map<String, @Nullable Object> policy, boolean withHost) {
        Map<String, @Nullable Object> parameter = some(policy, withHost, NAME);
        parameter.put("component", "operator_policy");
        parameter.put("value", some(policy, false, "pattern", "apply-to", "definition", "priority"));
        return parameter;
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
}
