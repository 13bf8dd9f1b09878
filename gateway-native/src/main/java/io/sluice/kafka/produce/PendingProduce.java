package io.sluice.kafka.produce;

import io.sluice.kafka.connection.Request;
import io.sluice.log.LogPartition;
import org.apache.kafka.common.message.ProduceResponseData;
import org.apache.kafka.common.message.ProduceResponseData.PartitionProduceResponse;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.ProduceResponse;

/**
 * The answer of a whole produce request, filled in as its partitions answer. If its time is up first, those that have not
 * answered are told so; what becomes of their batches later is the same as with a lost answer: stored or not, and a
 * repetition by an idempotent producer is recognised. Confined to the loop.
 */
final class PendingProduce {
    private final Request request;
    private final short acks;
    private final ProduceResponseData response;
    private int open;
    private long deadline;
    private boolean expired;
    private String failure = "";

    /**
     * Makes an answer to be filled in.
     *
     * @param partitions answers to wait for before {@link #handedOver}
     */
    PendingProduce(Request request, short acks, ProduceResponseData response, int partitions) {
        this.request = request;
        this.acks = acks;
        this.response = response;
        this.open = partitions + 1;
    }

    short acks() {
        return acks;
    }

    /** Time at which the client wants an answer, whatever it is; ns of the loop's ticker. */
    long deadline() {
        return deadline;
    }

    void deadline(long nanos) {
        deadline = nanos;
    }

    boolean isDone() {
        return open == 0 || expired;
    }

    boolean isExpired() {
        return expired;
    }

    PartitionAppend part(PartitionProduceResponse answer, LogPartition partition) {
        return new PartitionAppend(this, request.loop(), answer, partition);
    }

    void refuse(PartitionProduceResponse answer, Errors error, String message) {
        answer.setErrorCode(error.code())
                .setErrorMessage(message)
                .setLogStartOffset(-1)
                .setLogAppendTimeMs(-1);
        if (failure.isEmpty()) {
            failure = error + ": " + message;
        }
        answered();
    }

    /** Every partition has been looked at. */
    void handedOver() {
        answered();
    }

    void answered() {
        if (--open > 0) {
            return;
        }
        if (acks != 0) {
            request.respond(new ProduceResponse(response));
        } else if (failure.isEmpty()) {
            request.respondNothing();
        } else {
            request.closeConnection("produce with acks=0 failed, " + failure);
        }
    }

    /** Answers REQUEST_TIMED_OUT for what is open; later answers are ignored. */
    void expire() {
        expired = true;
        for (var topic : response.responses()) {
            for (PartitionProduceResponse answer : topic.partitionResponses()) {
                if (answer.baseOffset() < 0 && answer.errorCode() == Errors.NONE.code()) {
                    answer.setErrorCode(Errors.REQUEST_TIMED_OUT.code())
                            .setErrorMessage("not stored within the time the producer gave")
                            .setLogStartOffset(-1)
                            .setLogAppendTimeMs(-1);
                }
            }
        }
        request.respond(new ProduceResponse(response));
    }
}
