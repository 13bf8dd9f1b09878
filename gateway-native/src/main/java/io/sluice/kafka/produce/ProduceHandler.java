package io.sluice.kafka.produce;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.kafka.connection.ApiHandler;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.convert.KafkaErrors;
import io.sluice.kafka.convert.Topics;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.StreamInfo;
import io.sluice.log.record.BatchValidator;
import io.sluice.log.record.DecodedBatch;
import io.sluice.message.RecordView;
import io.sluice.shard.ShardProxy;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceResponseData;
import org.apache.kafka.common.message.ProduceResponseData.BatchIndexAndErrorMessage;
import org.apache.kafka.common.message.ProduceResponseData.PartitionProduceResponse;
import org.apache.kafka.common.message.ProduceResponseData.TopicProduceResponse;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.ProduceRequest;

/**
 * Produce (KIP-98 batches only). Batches are checked on the event loop and handed to the shard as slices of the frame; the
 * answer is due when every partition of the request has answered. A congested shard refuses: then the batches wait in the
 * connection, in order, and the connection is not read.
 */
public final class ProduceHandler implements ApiHandler {
    /** Largest batch for a compacted topic after decompression, bytes. */
    private static final int MAX_DECODED_BYTES = 64 << 20;

    private final ShardProxy shard;
    private final Topics topics;
    private final Durability durabilityAll;
    private final Durability durabilityFew;
    private final LongAdder received = new LongAdder();

    public ProduceHandler(ShardProxy shard, Topics topics, Durability durabilityAll, Durability durabilityFew) {
        this.shard = shard;
        this.topics = topics;
        this.durabilityAll = durabilityAll;
        this.durabilityFew = durabilityFew;
    }

    /** Well-formed records that producers sent since the start. */
    public long received() {
        return received.sum();
    }

    @Override
    public void handle(Request request) {
        ProduceRequestData data = request.body(ProduceRequest.class).data();
        short acks = data.acks();
        Errors refusal = Errors.NONE;
        if (acks < -1 || acks > 1) {
            refusal = Errors.INVALID_REQUIRED_ACKS;
        } else if (data.transactionalId() != null) {
            refusal = Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        }
        ProduceResponseData response = new ProduceResponseData();
        int partitions = 0;
        for (var topic : data.topicData()) {
            partitions += topic.partitionData().size();
        }
        PendingProduce pending = new PendingProduce(request, acks, response, partitions);
        if (acks != 0) {
            request.state()
                    .get(ProduceTimeouts.class, () -> new ProduceTimeouts(request))
                    .add(pending, data.timeoutMs());
        }
        int records = 0;
        for (var topic : data.topicData()) {
            TopicProduceResponse answers =
                    new TopicProduceResponse().setName(topic.name()).setTopicId(topic.topicId());
            response.responses().mustAdd(answers);
            String name = request.version() >= 13 ? topics.name(request.caller(), topic.topicId()) : topic.name();
            for (var partition : topic.partitionData()) {
                PartitionProduceResponse answer = new PartitionProduceResponse()
                        .setIndex(partition.index())
                        .setBaseOffset(-1);
                answers.partitionResponses().add(answer);
                if (partition.records() == null) {
                    pending.refuse(answer, Errors.INVALID_RECORD, "no records");
                } else if (refusal != Errors.NONE) {
                    records++;
                    pending.refuse(answer, refusal, refusal.message());
                } else if (name == null) {
                    records++;
                    pending.refuse(answer, Errors.UNKNOWN_TOPIC_ID, "no topic has this id");
                } else {
                    append(request, pending, answer, name, records++);
                }
            }
        }
        pending.handedOver();
    }

    private void append(
            Request request, PendingProduce pending, PartitionProduceResponse answer, String name, int recordSet) {
        Caller caller = request.caller();
        Topics.Lookup lookup = topics.partition(caller, Operation.WRITE, name, answer.index());
        StreamInfo stream = lookup.stream();
        var partition = lookup.partition();
        if (stream == null || partition == null) {
            pending.refuse(answer, lookup.error(), lookup.error().message());
            return;
        }
        ByteBuf batches = request.frame().retainedRecords(recordSet);
        try {
            received.add(check(batches, stream.config().maxBatchBytes()).records());
        } catch (LogException e) {
            batches.release();
            pending.refuse(answer, KafkaErrors.of(e), KafkaErrors.message(e));
            return;
        }
        if (stream.config().compact() && !checkKeys(pending, answer, batches, name)) {
            return;
        }
        Durability level = stream.config().durability();
        if (level == null) {
            level = pending.acks() == -1 ? durabilityAll : durabilityFew;
        }
        request.state()
                .get(ProduceQueue.class, () -> new ProduceQueue(shard, request))
                .offer(new ProduceQueue.Append(
                        caller, partition.id(), batches, level, pending.part(answer, partition)));
    }

    /**
     * A compacted topic keeps the newest record of each key, so each must have one (Kafka: INVALID_RECORD). Looks into compressed
     * batches too.
     *
     * @return false if the batch is refused; its reference is given back then
     */
    private static boolean checkKeys(
            PendingProduce pending, PartitionProduceResponse answer, ByteBuf batches, String name) {
        try {
            DecodedBatch decoded =
                    DecodedBatch.decode(batches.retainedDuplicate(), PooledByteBufAllocator.DEFAULT, MAX_DECODED_BYTES);
            try {
                RecordView record = new RecordView();
                for (int i = 0; i < decoded.recordCount(); i++) {
                    decoded.recordAt(i, record);
                    if (record.keyLength() < 0) {
                        answer.recordErrors()
                                .add(new BatchIndexAndErrorMessage()
                                        .setBatchIndex(i)
                                        .setBatchIndexErrorMessage("record without a key"));
                    }
                }
            } finally {
                decoded.release();
            }
        } catch (LogException e) {
            batches.release();
            pending.refuse(answer, KafkaErrors.of(e), KafkaErrors.message(e));
            return false;
        }
        if (!answer.recordErrors().isEmpty()) {
            batches.release();
            pending.refuse(
                    answer,
                    Errors.INVALID_RECORD,
                    "Compacted topic '" + name + "' cannot accept messages without key: "
                            + answer.recordErrors().size() + " have none.");
            return false;
        }
        return true;
    }

    /** As Kafka: a producer sends exactly one batch per partition, and no transaction is open here. */
    private static BatchValidator.Summary check(ByteBuf batches, int maxBatchBytes) {
        BatchValidator.Summary summary = BatchValidator.validate(batches, maxBatchBytes);
        if (summary.batches() != 1) {
            throw new LogException(
                    LogException.Reason.CORRUPT_BATCH, "a partition must be sent one batch, not " + summary.batches());
        }
        if (summary.transactional()) {
            throw new LogException(LogException.Reason.UNSUPPORTED_FORMAT, "transactions are not available");
        }
        return summary;
    }
}
