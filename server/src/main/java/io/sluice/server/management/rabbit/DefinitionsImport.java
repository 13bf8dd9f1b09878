package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.SERVICE_UNAVAILABLE;

import com.rabbitmq.client.Channel;
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
 * Takes definitions in: virtual hosts, policies, exchanges, queues and bindings that are missing are made, what is there already is
 * left alone. Goes through all of them whatever is refused, and tells of all refusals at the end. Users and permissions other than
 * those that there are, and runtime parameters, are refused. For one request.
 */
final class DefinitionsImport {
    private static final String NAME = "name";
    private static final String VHOST = "vhost";
    private static final String OPERATOR_POLICY = "operator_policy";
    /** What RabbitMQ writes down of itself. */
    private static final Set<String> OF_THE_CLUSTER = Set.of("cluster_name", "internal_cluster_id", "cluster_tags");

    private static final int MOST_TOLD = 20;

    private final Api api;
    private final @Nullable VirtualHost only;
    private final List<String> refused = new ArrayList<>();
    private final Map<String, List<Step>> steps = new LinkedHashMap<>();
    private int count;

    private interface Call {
        Object on(Channel channel) throws IOException;
    }

    /** A declaration over AMQP. */
    private record Step(String what, Call call) {}

    /** Prepares an import into all virtual hosts, or into {@code only} that one. */
    DefinitionsImport(Api api, @Nullable VirtualHost only) {
        this.api = api;
        this.only = only;
    }

    Reply run(Map<String, @Nullable Object> body) {
        if (only == null) {
            each(body, "vhosts", NAME, one -> VirtualHostResource.describe(api, name(one), one));
        }
        each(body, "users", NAME, one -> refuse(!"guest".equals(name(one)), "Users cannot be changed yet."));
        each(
                body,
                "permissions",
                "user",
                one -> refuse(
                        !"guest".equals(one.get("user")) || !UserResource.isEverything(one),
                        "Permissions cannot be changed yet."));
        each(body, "topic_permissions", "user", one -> refuse(true, "Topic permissions cannot be changed yet."));
        each(body, "parameters", NAME, this::parameter);
        each(
                body,
                "global_parameters",
                NAME,
                one -> refuse(!OF_THE_CLUSTER.contains(name(one)), "Parameters cannot be changed yet."));
        each(body, "policies", NAME, one -> PolicyResource.set(api, host(one), false, name(one), one));
        each(body, "exchanges", NAME, one -> {
            String name = name(one);
            step(one, "exchange '" + name + "'", channel -> ExchangeResource.declare(channel, name, one));
        });
        each(body, "queues", NAME, one -> {
            String name = name(one);
            step(one, "queue '" + name + "'", channel -> QueueResource.declare(channel, name, one));
        });
        each(body, "bindings", "source", one -> {
            String source = Api.required(one, "source", String.class);
            String destination = Api.required(one, "destination", String.class);
            boolean toQueue = "queue".equals(Api.required(one, "destination_type", String.class));
            step(
                    one,
                    "binding of '" + source + "' to '" + destination + "'",
                    channel -> BindingResource.bind(channel, source, toQueue, destination, one));
        });
        steps.forEach(this::declare);
        if (refused.isEmpty()) {
            return Reply.empty(NO_CONTENT);
        }
        List<String> told = refused.subList(0, Math.min(MOST_TOLD, refused.size()));
        throw ApiException.badRequest(refused.size() + " of " + count + " definitions were refused, the others are in: "
                + String.join("; ", told) + (told.size() < refused.size() ? "; and more" : ""));
    }

    private interface Taker {
        void take(Map<String, @Nullable Object> one);
    }

    private void each(Map<String, @Nullable Object> body, String part, String name, Taker taker) {
        for (Map<String, @Nullable Object> one : list(body, part)) {
            count++;
            try {
                taker.take(one);
            } catch (ApiException e) {
                refused.add(part + " '" + one.get(name) + "': " + e.getMessage());
            }
        }
    }

    private static void refuse(boolean condition, String reason) {
        if (condition) {
            throw ApiException.badRequest(reason);
        }
    }

    /** Operator policies are parameters in what RabbitMQ exports. */
    private void parameter(Map<String, @Nullable Object> one) {
        refuse(!OPERATOR_POLICY.equals(one.get("component")), "Parameters cannot be changed yet.");
        PolicyResource.set(api, host(one), true, name(one), Api.nullable(Api.table(one, "value")));
    }

    private static String name(Map<String, @Nullable Object> one) {
        return Api.required(one, NAME, String.class);
    }

    private VirtualHost host(Map<String, @Nullable Object> one) {
        String name = String.valueOf(one.getOrDefault(VHOST, "/"));
        VirtualHost host = only != null ? only : api.broker().virtualHost(name);
        if (host == null) {
            throw ApiException.badRequest("There is no virtual host '" + name + "'.");
        }
        return host;
    }

    private void step(Map<String, @Nullable Object> one, String what, Call call) {
        steps.computeIfAbsent(host(one).name(), name -> new ArrayList<>()).add(new Step(what, call));
    }

    /** A refusal ends the channel: those behind it get another one. */
    private void declare(String vhost, List<Step> all) {
        int[] at = {0};
        while (at[0] < all.size()) {
            try {
                api.calls().call(api.user(), vhost, channel -> {
                    for (; at[0] < all.size(); at[0]++) {
                        call(all.get(at[0]), channel);
                    }
                    return all.size();
                });
            } catch (ApiException e) {
                if (e.status().equals(SERVICE_UNAVAILABLE)) {
                    throw e;
                }
                refused.add(all.get(at[0]).what() + " in virtual host '" + vhost + "': " + e.getMessage());
                at[0]++;
            }
        }
    }

    private static void call(Step step, Channel channel) throws IOException {
        try {
            step.call().on(channel);
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw ApiException.badRequest(String.valueOf(e.getMessage()));
        }
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
