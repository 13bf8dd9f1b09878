package io.sluice.kafka.convert;

import io.sluice.log.LogException;
import io.sluice.routing.RoutingException;
import java.util.concurrent.CompletionException;
import org.apache.kafka.common.protocol.Errors;

/** Refusals of log and routing as Kafka's error codes. */
public final class KafkaErrors {
    private KafkaErrors() {}

    /** The code for a failure; unwraps completion exceptions. */
    public static Errors of(Throwable error) {
        Throwable cause = unwrap(error);
        if (cause instanceof LogException log) {
            return of(log.reason());
        }
        if (cause instanceof RoutingException routing) {
            return of(routing.reason());
        }
        return Errors.forException(cause);
    }

    /** What to tell the client besides the code. */
    public static String message(Throwable error) {
        Throwable cause = unwrap(error);
        String message = cause.getMessage();
        return message == null ? cause.getClass().getSimpleName() : message;
    }

    private static Errors of(LogException.Reason reason) {
        return switch (reason) {
            case OFFSET_OUT_OF_RANGE -> Errors.OFFSET_OUT_OF_RANGE;
            case CORRUPT_BATCH -> Errors.CORRUPT_MESSAGE;
            case BATCH_TOO_LARGE -> Errors.MESSAGE_TOO_LARGE;
            case UNSUPPORTED_FORMAT -> Errors.UNSUPPORTED_FOR_MESSAGE_FORMAT;
            case INVALID_TIMESTAMP -> Errors.INVALID_TIMESTAMP;
            case DUPLICATE_SEQUENCE -> Errors.DUPLICATE_SEQUENCE_NUMBER;
            case OUT_OF_ORDER_SEQUENCE -> Errors.OUT_OF_ORDER_SEQUENCE_NUMBER;
            case INVALID_PRODUCER_EPOCH -> Errors.INVALID_PRODUCER_EPOCH;
            case UNKNOWN_PRODUCER_ID -> Errors.UNKNOWN_PRODUCER_ID;
            case STREAM_NOT_FOUND -> Errors.UNKNOWN_TOPIC_OR_PARTITION;
            case STREAM_EXISTS -> Errors.TOPIC_ALREADY_EXISTS;
            case DISK_FULL, FENCED, IO_ERROR -> Errors.KAFKA_STORAGE_ERROR;
            case OVERLOADED, QUEUE_FULL -> Errors.REQUEST_TIMED_OUT;
            case CLOSED -> Errors.NOT_LEADER_OR_FOLLOWER;
        };
    }

    private static Errors of(RoutingException.Reason reason) {
        return switch (reason) {
            case NOT_FOUND -> Errors.UNKNOWN_TOPIC_OR_PARTITION;
            case PRECONDITION_FAILED, IN_USE -> Errors.TOPIC_ALREADY_EXISTS;
            case ACCESS_REFUSED -> Errors.TOPIC_AUTHORIZATION_FAILED;
            case NOT_EMPTY, CYCLE -> Errors.INVALID_REQUEST;
            case INVALID_NAME -> Errors.INVALID_TOPIC_EXCEPTION;
            case NOT_IMPLEMENTED -> Errors.UNSUPPORTED_VERSION;
            case UNAVAILABLE -> Errors.LEADER_NOT_AVAILABLE;
        };
    }

    private static Throwable unwrap(Throwable error) {
        Throwable cause = error;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }
}
