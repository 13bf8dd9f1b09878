package io.sluice.server.management.rabbit;

import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueStats;
import io.sluice.routing.Binding;
import io.sluice.routing.BindingArguments;
import io.sluice.routing.Broker;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.policy.AppliedPolicy;
import io.sluice.routing.policy.Policy;
import java.net.InetSocketAddress;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Objects as RabbitMQ's HTTP API shows them. Stateless. */
final class Views {
    static final String NODE = "sluice@localhost";

    private static final String STREAM = "stream";

    private Views() {}

    static List<Map<String, @Nullable Object>> queues(Broker broker, VirtualHost host) {
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (QueueRef queue : host.table().queues()) {
            QueueDeclaration declaration =
                    host.table().queueDeclaration(queue.spec().name());
            if (declaration != null) {
                all.add(queue(host, queue, declaration));
            }
        }
        for (String name : host.table().streamNames()) {
            StreamInfo stream = host.table().stream(name);
            if (stream != null && !isInternal(name)) {
                all.add(stream(broker, host, name, stream));
            }
        }
        return all;
    }

    /** The broker's own, as Kafka names them. */
    private static boolean isInternal(String stream) {
        return stream.startsWith("__");
    }

    /** A queue or a stream, null if there is none. */
    static @Nullable Map<String, @Nullable Object> queue(Broker broker, VirtualHost host, String name) {
        QueueRef queue = host.table().queue(name);
        QueueDeclaration declaration = host.table().queueDeclaration(name);
        if (queue != null && declaration != null) {
            return queue(host, queue, declaration);
        }
        StreamInfo stream = host.table().stream(name);
        return stream == null || isInternal(name) ? null : stream(broker, host, name, stream);
    }

    private static Map<String, @Nullable Object> queue(VirtualHost host, QueueRef queue, QueueDeclaration declaration) {
        QueueStats stats = queue.stats();
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", declaration.name());
        view.put("vhost", host.name());
        view.put("type", declaration.arguments().getOrDefault("x-queue-type", "classic"));
        view.put("durable", declaration.durable());
        view.put("auto_delete", declaration.autoDelete());
        view.put("exclusive", declaration.exclusive());
        view.put("arguments", queueArguments(declaration.arguments()));
        counters(view, stats.ready(), stats.unacked(), stats.consumers());
        policies(view, host.table().queuePolicy(declaration.name()));
        return view;
    }

    private static Map<String, @Nullable Object> stream(
            Broker broker, VirtualHost host, String name, StreamInfo stream) {
        long messages = 0;
        for (int i = 0; i < stream.partitions(); i++) {
            LogPartition partition = broker.engine().partition(new PartitionId(stream.id(), i));
            messages += partition == null ? 0 : partition.highWatermark() - partition.logStartOffset();
        }
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", name);
        view.put("vhost", host.name());
        view.put("type", STREAM);
        view.put("durable", true);
        view.put("auto_delete", false);
        view.put("exclusive", false);
        view.put("arguments", Map.of("x-queue-type", STREAM));
        counters(view, messages, 0, 0);
        policies(view, host.table().queuePolicy(name));
        return view;
    }

    private static void policies(Map<String, @Nullable Object> view, AppliedPolicy applied) {
        view.put("policy", applied.policy() == null ? null : applied.policy().name());
        view.put(
                "operator_policy",
                applied.operator() == null ? null : applied.operator().name());
        view.put("effective_policy_definition", applied.definition());
    }

    private static void counters(Map<String, @Nullable Object> view, long ready, long unacked, int consumers) {
        view.put("node", NODE);
        view.put("state", "running");
        view.put("consumers", consumers);
        view.put("messages", ready + unacked);
        view.put("messages_ready", ready);
        view.put("messages_unacknowledged", unacked);
    }

    static Map<String, @Nullable Object> exchange(VirtualHost host, ExchangeInfo exchange) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", exchange.name());
        view.put("vhost", host.name());
        view.put("type", exchange.declaredType());
        view.put("durable", exchange.durable());
        view.put("auto_delete", exchange.autoDelete());
        view.put("internal", exchange.internal());
        view.put("arguments", typed(exchange.arguments()));
        Policy policy = host.table().policies().ofExchange(exchange.name()).policy();
        view.put("policy", policy == null ? null : policy.name());
        return view;
    }

    /** Bindings of clients, without those of streams to exchanges, and the one that each queue has to the default exchange. */
    static List<Map<String, @Nullable Object>> bindings(Broker broker, VirtualHost host) {
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (Map<String, @Nullable Object> queue : queues(broker, host)) {
            String name = String.valueOf(queue.get("name"));
            all.add(binding(host, "", name, "queue", name, Map.of()));
        }
        for (Binding binding : host.bindings()) {
            if (binding.source().kind() == Binding.Kind.EXCHANGE) {
                all.add(binding(
                        host,
                        binding.source().name(),
                        binding.destination().name(),
                        binding.destination().kind() == Binding.Kind.EXCHANGE ? "exchange" : "queue",
                        binding.key(),
                        binding.arguments()));
            }
        }
        return all;
    }

    private static Map<String, @Nullable Object> binding(
            VirtualHost host,
            String source,
            String destination,
            String type,
            String key,
            Map<String, String> arguments) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("source", source);
        view.put("vhost", host.name());
        view.put("destination", destination);
        view.put("destination_type", type);
        view.put("routing_key", key);
        view.put("arguments", typed(arguments));
        view.put("properties_key", propertiesKey(key, arguments));
        return view;
    }

    /** Tells bindings of one pair of ends apart in paths: the routing key, with a digest of the arguments if there are any. */
    private static String propertiesKey(String key, Map<String, String> arguments) {
        String escaped = URLEncoder.encode(key, StandardCharsets.UTF_8).replace("~", "%7E");
        if (arguments.isEmpty()) {
            return escaped.isEmpty() ? "~" : escaped;
        }
        return escaped + '~' + Integer.toHexString(new TreeMap<>(arguments).hashCode());
    }

    /** Arguments of exchanges and bindings with the types that they had. */
    private static Map<String, @Nullable Object> typed(Map<String, String> arguments) {
        Map<String, Character> types = BindingArguments.types(arguments);
        Map<String, @Nullable Object> typed = new LinkedHashMap<>();
        arguments.forEach((name, text) -> {
            if (!name.equals(BindingArguments.TYPES)) {
                typed.put(name, typed(types.get(name), text));
            }
        });
        return typed;
    }

    private static @Nullable Object typed(@Nullable Character type, String text) {
        return switch (type == null ? 'S' : type) {
            case 't' -> Boolean.valueOf(text);
            case 'y', 's', 'i', 'l' -> number(text);
            case 'f', 'd' -> Double.valueOf(text);
            case 'V' -> null;
            default -> text;
        };
    }

    /** Arguments of queues: numbers and flags are such by their look, since no argument of a queue is text that looks so. */
    private static Map<String, @Nullable Object> queueArguments(Map<String, String> arguments) {
        Map<String, @Nullable Object> typed = new LinkedHashMap<>();
        arguments.forEach((name, text) -> {
            boolean isName = name.startsWith("x-dead-letter");
            boolean isFlag = text.equals("true") || text.equals("false");
            typed.put(name, isName ? text : isFlag ? Boolean.valueOf(text) : number(text));
        });
        return typed;
    }

    private static Object number(String text) {
        return text.matches("-?[0-9]{1,18}") ? (Object) Long.valueOf(text) : text;
    }

    static Map<String, @Nullable Object> connection(ConnectionInfo info) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", info.name());
        view.put("node", NODE);
        view.put("protocol", "AMQP 0-9-1");
        view.put("type", "network");
        view.put("state", info.publishing().name().toLowerCase(Locale.ROOT));
        view.put("user", info.user());
        view.put("vhost", info.vhost());
        view.put("peer_host", host(info.peer()));
        view.put("peer_port", info.peer().getPort());
        view.put("host", host(info.local()));
        view.put("port", info.local().getPort());
        view.put("ssl", false);
        view.put("connected_at", info.openedMillis());
        view.put("frame_max", info.frameMax());
        view.put("channel_max", info.channelMax());
        view.put("timeout", info.heartbeatSeconds());
        view.put("channels", info.channels().size());
        Map<String, @Nullable Object> properties = plain(info.clientProperties());
        view.put("client_properties", properties);
        view.put("user_provided_name", properties.get("connection_name"));
        return view;
    }

    static Map<String, @Nullable Object> channel(ConnectionInfo info, ConnectionInfo.Channel channel) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", name(info, channel));
        view.put("number", channel.number());
        view.put("node", NODE);
        view.put("state", "running");
        view.put("user", info.user());
        view.put("vhost", info.vhost());
        view.put("confirm", channel.confirms());
        view.put("transactional", channel.transactional());
        view.put("consumer_count", channel.consumers().size());
        view.put("messages_unacknowledged", channel.unacked());
        view.put("global_prefetch_count", channel.prefetch());
        view.put(
                "connection_details",
                Map.of(
                        "name", info.name(),
                        "peer_host", host(info.peer()),
                        "peer_port", info.peer().getPort()));
        return view;
    }

    static Map<String, @Nullable Object> consumer(
            ConnectionInfo info, ConnectionInfo.Channel channel, ConnectionInfo.Consumer consumer) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("consumer_tag", consumer.tag());
        view.put("queue", Map.of("name", consumer.queue(), "vhost", info.vhost()));
        view.put("ack_required", consumer.acks());
        view.put("prefetch_count", consumer.prefetch());
        view.put(
                "channel_details",
                Map.of(
                        "name", name(info, channel),
                        "number", channel.number(),
                        "connection_name", info.name(),
                        "node", NODE,
                        "user", info.user()));
        return view;
    }

    private static String name(ConnectionInfo info, ConnectionInfo.Channel channel) {
        return info.name() + " (" + channel.number() + ')';
    }

    static String host(InetSocketAddress address) {
        return address.getAddress() == null
                ? address.getHostString()
                : address.getAddress().getHostAddress();
    }

    /** A field table in what JSON has. */
    static Map<String, @Nullable Object> plain(Map<String, ?> table) {
        Map<String, @Nullable Object> plain = new LinkedHashMap<>();
        table.forEach((name, value) -> plain.put(name, plain(value)));
        return plain;
    }

    @SuppressWarnings("unchecked") // field tables have text keys
    private static @Nullable Object plain(@Nullable Object value) {
        if (value instanceof Map<?, ?> table) {
            return plain((Map<String, ?>) table);
        } else if (value instanceof List<?> list) {
            List<@Nullable Object> plain = new ArrayList<>();
            list.forEach(element -> plain.add(plain(element)));
            return plain;
        } else if (value instanceof byte[] bytes) {
            return new String(bytes, StandardCharsets.UTF_8);
        } else if (value instanceof Instant instant) {
            return instant.getEpochSecond();
        } else if (value instanceof Date date) {
            return date.toInstant().getEpochSecond();
        }
        return value == null || value instanceof Number || value instanceof Boolean ? value : value.toString();
    }
}
