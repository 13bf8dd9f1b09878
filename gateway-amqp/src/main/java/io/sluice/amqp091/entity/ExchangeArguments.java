package io.sluice.amqp091.entity;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ExchangeMethod;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.convert.BindingTable;
import io.sluice.routing.ExchangeInfo;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Type and arguments of {@code exchange.declare}, refused in RabbitMQ's words; arguments that nobody knows are kept. Stateless. */
final class ExchangeArguments {
    private ExchangeArguments() {}

    /**
     * By which rules the exchange routes.
     *
     * @throws AmqpException PRECONDITION_FAILED if there is no such type
     */
    static ExchangeInfo.Type type(ExchangeMethod.Declare declare) {
        String name = declare.type();
        if (name.equals(ExchangeInfo.DELAYED)) {
            Object under = declare.arguments().get(ExchangeInfo.DELAYED_TYPE);
            ExchangeInfo.Type type = under instanceof String text ? ExchangeInfo.Type.of(text) : null;
            if (type == null) {
                throw new AmqpException(
                        ReplyCode.PRECONDITION_FAILED,
                        "Invalid argument, 'x-delayed-type' must be an existing exchange type");
            }
            return type;
        }
        ExchangeInfo.Type type = ExchangeInfo.Type.of(name);
        if (type == null) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "unknown exchange type '" + name + "'");
        }
        return type;
    }

    /** The arguments as text; what only means something to a delaying exchange is left out elsewhere. */
    static Map<String, String> text(String vhost, ExchangeMethod.Declare declare) {
        Map<String, @Nullable Object> arguments = declare.arguments();
        Object alternate = arguments.get(ExchangeInfo.ALTERNATE);
        if (arguments.containsKey(ExchangeInfo.ALTERNATE) && !(alternate instanceof String)) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "invalid type '" + ArgumentChecks.type(alternate) + "' for arg '" + ExchangeInfo.ALTERNATE
                            + "' in exchange '" + declare.exchange() + "' in vhost '" + vhost + "'");
        }
        Map<String, String> text = BindingTable.text(arguments);
        if (!declare.type().equals(ExchangeInfo.DELAYED)) {
            text.remove(ExchangeInfo.DELAYED_TYPE);
        }
        return text;
    }
}
