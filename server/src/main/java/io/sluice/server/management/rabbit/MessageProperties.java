package io.sluice.server.management.rabbit;

import com.rabbitmq.client.AMQP.BasicProperties;
import java.time.Instant;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Basic properties as JSON, with RabbitMQ's names. Stateless. */
final class MessageProperties {
    private MessageProperties() {}

    static Map<String, @Nullable Object> view(BasicProperties from) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        put(view, "content_type", from.getContentType());
        put(view, "content_encoding", from.getContentEncoding());
        put(view, "delivery_mode", from.getDeliveryMode());
        put(view, "priority", from.getPriority());
        put(view, "correlation_id", from.getCorrelationId());
        put(view, "reply_to", from.getReplyTo());
        put(view, "expiration", from.getExpiration());
        put(view, "message_id", from.getMessageId());
        put(
                view,
                "timestamp",
                from.getTimestamp() == null
                        ? null
                        : from.getTimestamp().toInstant().getEpochSecond());
        put(view, "type", from.getType());
        put(view, "user_id", from.getUserId());
        put(view, "app_id", from.getAppId());
        put(view, "cluster_id", from.getClusterId());
        put(view, "headers", from.getHeaders() == null ? null : Views.plain(from.getHeaders()));
        return view;
    }

    private static void put(Map<String, @Nullable Object> into, String name, @Nullable Object value) {
        if (value != null) {
            into.put(name, value);
        }
    }

    static BasicProperties read(Map<String, @Nullable Object> body) {
        Number mode = Api.optional(body, "delivery_mode", Number.class);
        Number priority = Api.optional(body, "priority", Number.class);
        Number timestamp = Api.optional(body, "timestamp", Number.class);
        return new BasicProperties.Builder()
                .contentType(Api.optional(body, "content_type", String.class))
                .contentEncoding(Api.optional(body, "content_encoding", String.class))
                .deliveryMode(mode == null ? null : mode.intValue())
                .priority(priority == null ? null : priority.intValue())
                .correlationId(Api.optional(body, "correlation_id", String.class))
                .replyTo(Api.optional(body, "reply_to", String.class))
                .expiration(Api.optional(body, "expiration", String.class))
                .messageId(Api.optional(body, "message_id", String.class))
                .timestamp(timestamp == null ? null : Date.from(Instant.ofEpochSecond(timestamp.longValue())))
                .type(Api.optional(body, "type", String.class))
                .userId(Api.optional(body, "user_id", String.class))
                .appId(Api.optional(body, "app_id", String.class))
                .headers(body.containsKey("headers") ? Api.table(body, "headers") : null)
                .build();
    }
}
