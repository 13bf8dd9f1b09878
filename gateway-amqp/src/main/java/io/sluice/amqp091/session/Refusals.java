package io.sluice.amqp091.session;

import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import java.util.Locale;

/** Refusals that many methods share, in RabbitMQ's words. Stateless. */
public final class Refusals {
    private Refusals() {}

    /** A queue as error texts name it. */
    public static String named(String queue, String vhost) {
        return "queue '" + queue + "' in vhost '" + vhost + "'";
    }

    /**
     * Asks the authorizer.
     *
     * @throws AmqpException ACCESS_REFUSED
     */
    public static void permit(Session session, Operation operation, Resource.Kind kind, String name) {
        if (!session.caller().may(operation, kind, name)) {
            throw new AmqpException(
                    ReplyCode.ACCESS_REFUSED,
                    operation.name().toLowerCase(Locale.ROOT) + " access to "
                            + kind.name().toLowerCase(Locale.ROOT)
                            + " '" + name + "' in vhost '" + session.host().name() + "' refused for user '"
                            + session.caller().principal().name() + "'");
        }
    }

    public static AmqpException noQueue(Session session, String name) {
        return new AmqpException(
                ReplyCode.NOT_FOUND, "no " + named(name, session.host().name()));
    }

    public static AmqpException noExchange(Session session, String name) {
        return new AmqpException(
                ReplyCode.NOT_FOUND,
                "no exchange '" + name + "' in vhost '" + session.host().name() + "'");
    }

    /** The refusal of one who is not the owner, or who declares an exclusive queue as shared or the other way round. */
    public static AmqpException locked(String vhost, String queue) {
        return new AmqpException(
                ReplyCode.RESOURCE_LOCKED,
                "cannot obtain exclusive access to locked " + named(queue, vhost)
                        + ". It could be originally declared on another connection or the exclusive property value does"
                        + " not match that of the original declaration.");
    }
}
