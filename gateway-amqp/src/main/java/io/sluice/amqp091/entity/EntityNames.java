package io.sluice.amqp091.entity;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;

/** Names of exchanges and queues as RabbitMQ takes them. Stateless. */
final class EntityNames {
    private EntityNames() {}

    /** A name as RabbitMQ takes it where it declares, binds and deletes: without line breaks. */
    static String clean(String name) {
        return name.indexOf('\n') < 0 && name.indexOf('\r') < 0
                ? name
                : name.replace("\n", "").replace("\r", "");
    }

    /** Refuses the default exchange. */
    static void refuseDefault(String name) {
        if (name.isEmpty() || name.equals("amq.default")) {
            throw new AmqpException(ReplyCode.ACCESS_REFUSED, "operation not permitted on the default exchange");
        }
    }

    /** Refuses a new name that only the broker may give. */
    static void refuseReserved(String kind, String name) {
        if (name.startsWith("amq.")) {
            throw new AmqpException(
                    ReplyCode.ACCESS_REFUSED, kind + " name '" + name + "' contains reserved prefix 'amq.*'");
        }
    }
}
