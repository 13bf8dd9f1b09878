package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.CREATED;
import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import com.rabbitmq.client.Channel;
import io.netty.handler.codec.http.HttpMethod;
import io.sluice.routing.VirtualHost;
import io.sluice.server.management.Reply;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** {@code /api/bindings[/VHOST[/e/SOURCE/(q|e)/DESTINATION[/PROPERTIES]]]}. Stateless. */
final class BindingResource {
    private static final String DEFAULT_EXCHANGE = "amq.default";

    private BindingResource() {}

    /** The ends of the bindings that a path names. */
    private record Ends(String source, boolean toQueue, String destination) {
        static Ends of(Api api) {
            String source = Objects.requireNonNull(api.part(3));
            boolean toQueue = "q".equals(api.part(4));
            if (!"e".equals(api.part(2)) || !toQueue && !"e".equals(api.part(4))) {
                throw ApiException.notFound();
            }
            return new Ends(
                    source.equals(DEFAULT_EXCHANGE) ? "" : source, toQueue, Objects.requireNonNull(api.part(5)));
        }

        boolean are(Map<String, @Nullable Object> binding) {
            return source.equals(binding.get("source"))
                    && destination.equals(binding.get("destination"))
                    && (toQueue ? "queue" : "exchange").equals(binding.get("destination_type"));
        }
    }

    static Reply answer(Api api) {
        switch (api.parts()) {
            case 1 -> {
                Methods.allow(api, HttpMethod.GET);
                List<Map<String, @Nullable Object>> all = new ArrayList<>();
                for (VirtualHost host : api.broker().virtualHosts()) {
                    all.addAll(Views.bindings(api.broker(), host));
                }
                return Reply.json(OK, Listing.of(all, api.request().query()));
            }
            case 2 -> {
                return list(api, api.host(1), binding -> true);
            }
            case 6 -> {
                return between(api, api.host(1), Ends.of(api));
            }
            case 7 -> {
                return one(api, api.host(1), Ends.of(api));
            }
            default -> throw ApiException.notFound();
        }
    }

    /** The bindings of a virtual host that are asked for. */
    static Reply list(Api api, VirtualHost host, Predicate<Map<String, @Nullable Object>> wanted) {
        Methods.allow(api, HttpMethod.GET);
        List<Map<String, @Nullable Object>> some =
                Views.bindings(api.broker(), host).stream().filter(wanted).toList();
        return Reply.json(OK, Listing.of(some, api.request().query()));
    }

    private static Reply between(Api api, VirtualHost host, Ends ends) {
        if (!api.is(HttpMethod.POST)) {
            return list(api, host, ends::are);
        }
        Map<String, @Nullable Object> body = api.body();
        api.calls()
                .call(
                        api.user(),
                        host.name(),
                        channel -> bind(channel, ends.source(), ends.toQueue(), ends.destination(), body));
        return Reply.empty(CREATED);
    }

    /** Binds as a view or a body describes it. */
    static Object bind(
            Channel channel, String source, boolean toQueue, String destination, Map<String, @Nullable Object> body)
            throws IOException {
        String key = Api.optional(body, "routing_key", String.class);
        Map<String, Object> arguments = Api.table(body, "arguments");
        return toQueue
                ? channel.queueBind(destination, source, key == null ? "" : key, arguments)
                : channel.exchangeBind(destination, source, key == null ? "" : key, arguments);
    }

    private static Reply one(Api api, VirtualHost host, Ends ends) {
        // a path may escape more or less than the listing did
        String properties = Objects.requireNonNull(api.part(6));
        Map<String, @Nullable Object> binding = Views.bindings(api.broker(), host).stream()
                .filter(ends::are)
                .filter(b -> properties.equals(b.get("properties_key"))
                        || properties.equals(b.get("routing_key")) && Map.of().equals(b.get("arguments")))
                .findFirst()
                .orElseThrow(ApiException::notFound);
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, binding);
        }
        Methods.allow(api, HttpMethod.DELETE);
        String key = String.valueOf(binding.get("routing_key"));
        Map<String, Object> arguments = Api.table(binding, "arguments");
        api.calls()
                .call(
                        api.user(),
                        host.name(),
                        channel -> ends.toQueue()
                                ? channel.queueUnbind(ends.destination(), ends.source(), key, arguments)
                                : channel.exchangeUnbind(ends.destination(), ends.source(), key, arguments));
        return Reply.empty(NO_CONTENT);
    }
}
