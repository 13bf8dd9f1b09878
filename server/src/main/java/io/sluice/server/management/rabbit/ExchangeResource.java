package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.CREATED;
import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.Channel;
import io.netty.handler.codec.http.HttpMethod;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.VirtualHost;
import io.sluice.server.management.Reply;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** {@code /api/exchanges}. Stateless. */
final class ExchangeResource {
    /** Name of the default exchange in paths. */
    private static final String DEFAULT = "amq.default";

    private static final long CONFIRM_MILLIS = 10_000;

    private ExchangeResource() {}

    static Reply answer(Api api) {
        String given = api.part(2);
        if (given == null) {
            return list(api);
        }
        VirtualHost host = api.host(1);
        String name = given.equals(DEFAULT) ? "" : given;
        String sub = api.part(3);
        if (sub == null) {
            return one(api, host, name);
        } else if (sub.equals("publish") && api.parts() == 4) {
            Methods.allow(api, HttpMethod.POST);
            return Reply.json(OK, Map.of("routed", publish(api, host, name)));
        } else if (sub.equals("bindings") && api.parts() == 5) {
            Methods.allow(api, HttpMethod.GET);
            view(host, name);
            boolean source = "source".equals(api.part(4));
            return BindingResource.list(
                    api,
                    host,
                    binding -> source
                            ? name.equals(binding.get("source"))
                            : name.equals(binding.get("destination"))
                                    && "exchange".equals(binding.get("destination_type")));
        }
        throw ApiException.notFound();
    }

    private static Reply list(Api api) {
        Methods.allow(api, HttpMethod.GET);
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (VirtualHost host : api.part(1) == null ? api.broker().virtualHosts() : List.of(api.host(1))) {
            for (ExchangeInfo exchange : host.table().exchanges()) {
                all.add(Views.exchange(host, exchange));
            }
        }
        return Reply.json(OK, Listing.of(all, api.request().query()));
    }

    private static Reply one(Api api, VirtualHost host, String name) {
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, view(host, name));
        } else if (api.is(HttpMethod.PUT)) {
            boolean present = host.table().exchange(name) != null;
            Map<String, @Nullable Object> body = api.body();
            api.calls().call(api.user(), host.name(), channel -> declare(channel, name, body));
            return Reply.empty(present ? NO_CONTENT : CREATED);
        } else if (api.is(HttpMethod.DELETE)) {
            view(host, name);
            boolean ifUnused = "true".equals(api.request().query().get("if-unused"));
            api.calls().call(api.user(), host.name(), channel -> channel.exchangeDelete(name, ifUnused));
            return Reply.empty(NO_CONTENT);
        }
        throw Methods.notAllowed();
    }

    private static Map<String, @Nullable Object> view(VirtualHost host, String name) {
        ExchangeInfo exchange = host.table().exchange(name);
        if (exchange == null) {
            throw ApiException.notFound();
        }
        return Views.exchange(host, exchange);
    }

    /** Declares an exchange as its view or a body describes it. */
    static Object declare(Channel channel, String name, Map<String, @Nullable Object> body) throws IOException {
        String type = Api.optional(body, "type", String.class);
        return channel.exchangeDeclare(
                name,
                type == null ? "direct" : type,
                Api.flag(body, "durable", true),
                Api.flag(body, "auto_delete", false),
                Api.flag(body, "internal", false),
                Api.table(body, "arguments"));
    }

    /** True if the message found a destination; it is confirmed then. */
    private static boolean publish(Api api, VirtualHost host, String name) {
        view(host, name);
        Map<String, @Nullable Object> body = api.body();
        String key = Api.required(body, "routing_key", String.class);
        String payload = Api.required(body, "payload", String.class);
        byte[] bytes = "base64".equals(Api.optional(body, "payload_encoding", String.class))
                ? decode(payload)
                : payload.getBytes(UTF_8);
        var properties = MessageProperties.read(Api.nullable(Api.table(body, "properties")));
        return api.calls().call(api.user(), host.name(), channel -> {
            AtomicBoolean returned = new AtomicBoolean();
            channel.addReturnListener(message -> returned.set(true));
            channel.confirmSelect();
            channel.basicPublish(name, key, true, properties, bytes);
            if (!channel.waitForConfirms(CONFIRM_MILLIS)) {
                throw ApiException.badRequest("The message was refused by a queue that is full.");
            }
            return !returned.get();
        });
    }

    private static byte[] decode(String base64) {
        try {
            return Base64.getDecoder().decode(base64);
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest("The payload is not valid base64.");
        }
    }
}
