package io.sluice.amqp091.entity;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.convert.BindingTable;
import io.sluice.amqp091.session.DirectReplies;
import io.sluice.amqp091.session.Refusals;
import io.sluice.amqp091.session.Session;
import io.sluice.routing.Binding;
import io.sluice.routing.RoutingTable;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Bindings as clients name them, both of whose ends must be there. Confined to the loop. */
final class Bindings {
    private final Session connection;

    Bindings(Session connection) {
        this.connection = connection;
    }

    private RoutingTable table() {
        return connection.host().table();
    }

    Binding toExchange(
            String givenSource, String givenDestination, String key, Map<String, @Nullable Object> arguments) {
        String source = EntityNames.clean(givenSource);
        String destination = EntityNames.clean(givenDestination);
        EntityNames.refuseDefault(source);
        EntityNames.refuseDefault(destination);
        if (table().exchange(destination) == null) {
            throw Refusals.noExchange(connection, destination);
        }
        return binding(source, new Binding.End(Binding.Kind.EXCHANGE, destination), key, arguments);
    }

    Binding toQueue(String givenSource, String queue, String key, Map<String, @Nullable Object> arguments) {
        String source = EntityNames.clean(givenSource);
        EntityNames.refuseDefault(source);
        if (DirectReplies.isName(queue)) {
            throw new AmqpException(
                    ReplyCode.ACCESS_REFUSED, "cannot bind or unbind to a volatile (direct reply-to) queue");
        }
        Binding.Kind kind = table().queue(queue) != null ? Binding.Kind.QUEUE : Binding.Kind.STREAM;
        if (kind == Binding.Kind.STREAM && table().stream(queue) == null) {
            throw Refusals.noQueue(connection, queue);
        }
        connection.shared().exclusiveQueues().check(connection.host().name(), queue, connection);
        return binding(source, new Binding.End(kind, queue), key, arguments);
    }

    private Binding binding(String source, Binding.End end, String key, Map<String, @Nullable Object> arguments) {
        if (table().exchange(source) == null) {
            throw Refusals.noExchange(connection, source);
        }
        return new Binding(
                new Binding.End(Binding.Kind.EXCHANGE, source),
                end,
                key,
                BindingTable.text(arguments),
                Binding.Origin.CLIENT);
    }
}
