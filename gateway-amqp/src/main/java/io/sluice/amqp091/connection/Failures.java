package io.sluice.amqp091.connection;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.log.LogException;
import io.sluice.routing.RoutingException;
import java.util.concurrent.CompletionException;

/** Refusals of the layers below in AMQP's words. Stateless. */
final class Failures {
    private Failures() {}

    static AmqpException of(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        String text = String.valueOf(cause.getMessage());
        if (cause instanceof AmqpException amqp) {
            return amqp;
        }
        if (cause instanceof RoutingException routing) {
            return switch (routing.reason()) {
                case NOT_FOUND -> new AmqpException(ReplyCode.NOT_FOUND, text);
                case ACCESS_REFUSED -> new AmqpException(ReplyCode.ACCESS_REFUSED, text);
                case PRECONDITION_FAILED, IN_USE, NOT_EMPTY, CYCLE, INVALID_NAME ->
                    new AmqpException(ReplyCode.PRECONDITION_FAILED, text);
                case NOT_IMPLEMENTED -> new AmqpException(ReplyCode.NOT_IMPLEMENTED, text);
                case UNAVAILABLE -> new AmqpException(ReplyCode.RESOURCE_ERROR, text);
            };
        }
        if (cause instanceof LogException log) {
            return switch (log.reason()) {
                case DISK_FULL, OVERLOADED -> new AmqpException(ReplyCode.RESOURCE_ERROR, text);
                case BATCH_TOO_LARGE, QUEUE_FULL -> new AmqpException(ReplyCode.PRECONDITION_FAILED, text);
                default -> new AmqpException(ReplyCode.INTERNAL_ERROR, text);
            };
        }
        if (cause instanceof IndexOutOfBoundsException) {
            return new AmqpException(ReplyCode.SYNTAX_ERROR, "arguments exceed their frame");
        }
        return new AmqpException(ReplyCode.INTERNAL_ERROR, cause.getClass().getSimpleName() + ": " + text);
    }
}
