package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.CREATED;
import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.GetResponse;
import io.netty.handler.codec.http.HttpMethod;
import io.sluice.routing.VirtualHost;
import io.sluice.server.management.Reply;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code /api/queues}. Stateless. */
final class QueueResource {
    private static final int MOST_MESSAGES = 1_000;
    private static final List<String> ACK_MODES =
            List.of("ack_requeue_true", "ack_requeue_false", "reject_requeue_true", "reject_requeue_false");

    private QueueResource() {}

    static Reply answer(Api api) {
        String name = api.part(2);
        if (name == null) {
            return list(api);
        }
        VirtualHost host = api.host(1);
        String sub = api.part(3);
        if (sub == null) {
            return one(api, host, name);
        }
        if (api.parts() == 4) {
            if (sub.equals("contents") && api.is(HttpMethod.DELETE)) {
                api.calls().call(api.user(), host.name(), channel -> channel.queuePurge(name));
                return Reply.empty(NO_CONTENT);
            } else if (sub.equals("get") && api.is(HttpMethod.POST)) {
                return Reply.json(OK, get(api, host, name));
            } else if (sub.equals("bindings") && api.is(HttpMethod.GET)) {
                view(api, host, name);
                return BindingResource.list(
                        api,
                        host,
                        binding -> name.equals(binding.get("destination"))
                                && "queue".equals(binding.get("destination_type")));
            }
        }
        throw ApiException.notFound();
    }

    private static Reply list(Api api) {
        Methods.allow(api, HttpMethod.GET);
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (VirtualHost host : api.part(1) == null ? api.broker().virtualHosts() : List.of(api.host(1))) {
            all.addAll(Views.queues(api.broker(), host));
        }
        return Reply.json(OK, Listing.of(all, api.request().query()));
    }

    private static Reply one(Api api, VirtualHost host, String name) {
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, view(api, host, name));
        } else if (api.is(HttpMethod.PUT)) {
            boolean present = Views.queue(api.broker(), host, name) != null;
            Map<String, @Nullable Object> body = api.body();
            api.calls().call(api.user(), host.name(), channel -> declare(channel, name, body));
            return Reply.empty(present ? NO_CONTENT : CREATED);
        } else if (api.is(HttpMethod.DELETE)) {
            view(api, host, name);
            boolean ifUnused = "true".equals(api.request().query().get("if-unused"));
            boolean ifEmpty = "true".equals(api.request().query().get("if-empty"));
            api.calls().call(api.user(), host.name(), channel -> channel.queueDelete(name, ifUnused, ifEmpty));
            return Reply.empty(NO_CONTENT);
        }
        throw Methods.notAllowed();
    }

    private static Map<String, @Nullable Object> view(Api api, VirtualHost host, String name) {
        Map<String, @Nullable Object> view = Views.queue(api.broker(), host, name);
        if (view == null) {
            throw ApiException.notFound();
        }
        return view;
    }

    /** Declares a queue as its view or a body describes it. */
    static Object declare(Channel channel, String name, Map<String, @Nullable Object> body) throws IOException {
        Map<String, Object> arguments = new LinkedHashMap<>(Api.table(body, "arguments"));
        String type = Api.optional(body, "type", String.class);
        if (type != null && !arguments.containsKey("x-queue-type") && !type.equals("classic")) {
            arguments.put("x-queue-type", type);
        }
        return channel.queueDeclare(
                name,
                Api.flag(body, "durable", true),
                Api.flag(body, "exclusive", false),
                Api.flag(body, "auto_delete", false),
                arguments);
    }

    private static List<Map<String, @Nullable Object>> get(Api api, VirtualHost host, String name) {
        view(api, host, name);
        Map<String, @Nullable Object> body = api.body();
        String mode = Api.optional(body, "ackmode", String.class);
        String ackMode = mode == null ? "ack_requeue_true" : mode;
        if (!ACK_MODES.contains(ackMode)) {
            throw ApiException.badRequest("The attribute 'ackmode' is not one of " + ACK_MODES + ".");
        }
        int count = Math.min(MOST_MESSAGES, Api.number(body, "count", 1));
        String encoding = Api.optional(body, "encoding", String.class);
        int most = Math.max(0, Api.number(body, "truncate", Integer.MAX_VALUE));
        return api.calls().call(api.user(), host.name(), channel -> {
            List<Map<String, @Nullable Object>> messages = new ArrayList<>();
            List<Long> tags = new ArrayList<>();
            GetResponse got = count > 0 ? channel.basicGet(name, false) : null;
            while (got != null) {
                messages.add(message(got, "base64".equals(encoding), most));
                tags.add(got.getEnvelope().getDeliveryTag());
                got = messages.size() < count ? channel.basicGet(name, false) : null;
            }
            settle(channel, ackMode, tags);
            channel.close();
            return messages;
        });
    }

    private static void settle(Channel channel, String ackMode, List<Long> tags) throws IOException {
        for (long tag : tags) {
            if (ackMode.equals("ack_requeue_false")) {
                channel.basicAck(tag, false);
            } else {
                channel.basicReject(tag, !ackMode.equals("reject_requeue_false"));
            }
        }
    }

    private static Map<String, @Nullable Object> message(GetResponse got, boolean base64, int most) {
        byte[] body = got.getBody();
        byte[] shown = body.length <= most ? body : java.util.Arrays.copyOf(body, most);
        String text = base64 ? null : text(shown);
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("payload_bytes", body.length);
        view.put("redelivered", got.getEnvelope().isRedeliver());
        view.put("exchange", got.getEnvelope().getExchange());
        view.put("routing_key", got.getEnvelope().getRoutingKey());
        view.put("message_count", got.getMessageCount());
        view.put("properties", MessageProperties.view(got.getProps()));
        view.put("payload", text != null ? text : Base64.getEncoder().encodeToString(shown));
        view.put("payload_encoding", text != null ? "string" : "base64");
        return view;
    }

    private static @Nullable String text(byte[] bytes) {
        try {
            return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            return null; // shown in base64
        }
    }
}
