package io.sluice.amqp091.entity;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ExchangeMethod;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.session.ChannelContext;
import io.sluice.amqp091.session.Refusals;
import io.sluice.amqp091.session.Session;
import io.sluice.routing.ExchangeInfo;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** {@code exchange.*} on one channel. Confined to the loop. */
public final class ExchangeOperations {
    private final Session connection;
    private final ChannelContext channel;
    private final Bindings bindings;

    public ExchangeOperations(Session connection, ChannelContext channel) {
        this.connection = connection;
        this.channel = channel;
        this.bindings = new Bindings(connection);
    }

    /** Waits for a change, then replies. */
    private void change(Method method, CompletionStage<?> stage, @Nullable Method reply) {
        connection.await(channel.number(), method.id(), stage, done -> {
            if (reply != null) {
                channel.reply(reply);
            }
        });
    }

    public void method(ExchangeMethod method) {
        if (method instanceof ExchangeMethod.Declare declare) {
            declare(declare);
        } else if (method instanceof ExchangeMethod.Delete delete) {
            String name = EntityNames.clean(delete.exchange());
            EntityNames.refuseDefault(name);
            if (name.startsWith("amq.")) {
                throw new AmqpException(
                        ReplyCode.ACCESS_REFUSED,
                        "deletion of system exchange '" + name + "' in vhost '"
                                + connection.host().name() + "' not allowed");
            }
            change(
                    delete,
                    connection.host().deleteExchange(connection.caller(), name, delete.ifUnused()),
                    delete.noWait() ? null : new ExchangeMethod.DeleteOk());
        } else if (method instanceof ExchangeMethod.Bind bind) {
            change(
                    bind,
                    connection
                            .host()
                            .bind(
                                    connection.caller(),
                                    bindings.toExchange(
                                            bind.source(), bind.destination(), bind.routingKey(), bind.arguments())),
                    bind.noWait() ? null : new ExchangeMethod.BindOk());
        } else if (method instanceof ExchangeMethod.Unbind unbind) {
            change(
                    unbind,
                    connection
                            .host()
                            .unbind(
                                    connection.caller(),
                                    bindings.toExchange(
                                            unbind.source(),
                                            unbind.destination(),
                                            unbind.routingKey(),
                                            unbind.arguments())),
                    unbind.noWait() ? null : new ExchangeMethod.UnbindOk());
        } else {
            throw new AmqpException(
                    ReplyCode.COMMAND_INVALID, "method " + Method.name(method.id()) + " is the broker's to send");
        }
    }

    private void declare(ExchangeMethod.Declare declare) {
        String name = EntityNames.clean(declare.exchange());
        EntityNames.refuseDefault(name);
        Method reply = declare.noWait() ? null : new ExchangeMethod.DeclareOk();
        ExchangeInfo present = connection.host().table().exchange(name);
        if (declare.passive()) {
            if (present == null) {
                throw Refusals.noExchange(connection, name);
            }
            if (reply != null) {
                channel.reply(reply);
            }
            return;
        }
        if (present == null) {
            EntityNames.refuseReserved("exchange", name);
        }
        ExchangeInfo wanted = new ExchangeInfo(
                name,
                ExchangeArguments.type(declare),
                declare.durable(),
                declare.autoDelete(),
                declare.internal(),
                ExchangeArguments.text(connection.host().name(), declare));
        change(declare, connection.host().declareExchange(connection.caller(), wanted), reply);
    }
}
