package io.sluice.shard;

import io.sluice.log.Durability;
import java.util.ArrayList;
import java.util.List;

/** A message as published. */
final class ModelMessage {
    final int serial;
    final String value;
    final Durability asked;
    final List<ModelCopy> copies = new ArrayList<>();
    /** Streams that it was routed to. */
    final List<ModelStream> streams = new ArrayList<>();
    /** What was handed over with it, itself included; empty if it was alone. */
    List<ModelMessage> published = List.of();

    boolean confirmed;
    /** Refused with certainty: nobody may ever see it. */
    boolean refused;
    /** A start has shown whether it is there as a whole. */
    boolean judged;

    long rank;
    int priority;
    /** Key of its record, 0 = none. */
    int group;
    /** Milliseconds, -1 = for ever. */
    long timeToLive = -1;

    long submittedAt;
    /** When queues knew of it at the latest, epoch ms; -1 = nobody knows yet. */
    long fedAt = -1;
    /** A queue that it was sent to was full, its publisher was told. */
    boolean turnedAway;
    /** Deliveries that cannot be judged yet. */
    final List<CoreModel.Delivered> unjudged = new ArrayList<>();

    /** By a Kafka client, not by a publish: order is kept among the messages of each kind. */
    boolean produced;

    @Override
    public String toString() {
        return "m" + serial + " (" + asked + (confirmed ? ", confirmed" : "") + (refused ? ", refused" : "")
                + (produced ? ", produced" : "") + ") to "
                + streams.stream().map(s -> s.name).toList()
                + copies.stream().map(c -> c.queue.id).toList();
    }

    ModelMessage(int serial, String value, Durability asked) {
        this.serial = serial;
        this.value = value;
        this.asked = asked;
    }
}
