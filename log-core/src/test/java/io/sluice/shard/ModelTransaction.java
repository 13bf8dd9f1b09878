package io.sluice.shard;

import static io.sluice.shard.Invariant.A_TRANSACTION_IS_ALL_OR_NOTHING;

import io.sluice.log.Durability;
import io.sluice.queue.Settlement;
import java.util.ArrayList;
import java.util.List;

/** A transaction whose client has no answer yet. */
final class ModelTransaction {
    private final List<Part> parts = new ArrayList<>();
    private final List<ModelMessage> messages;
    private String committed = "";
    private String missing = "";

    private record Part(ModelCopy copy, Settlement how) {}

    ModelTransaction(List<ModelMessage> messages) {
        this.messages = messages;
    }

    /** The transaction settles this one, too. */
    void settle(ModelCopy copy, Settlement how) {
        parts.add(new Part(copy, how));
    }

    List<ModelMessage> messages() {
        return messages;
    }

    /** The shard has it. */
    void submitted() {
        for (Part part : parts) {
            part.copy().pending = this;
            part.copy().pendingHow = part.how();
        }
    }

    /** It is in force, for good. */
    void committed() {
        for (Part part : parts) {
            if (part.copy().pending == this) {
                applied(part.copy());
            }
        }
    }

    /** Nothing of it has happened. */
    void refused() {
        for (Part part : parts) {
            ModelCopy copy = part.copy();
            copy.givenUp.remove(this);
            copy.pending = copy.pending == this ? null : copy.pending;
        }
    }

    /** The copy is delivered again: the shard gave up what it had set it aside for. */
    static void givenUp(ModelCopy copy) {
        if (copy.pending != null) {
            copy.givenUp.put(copy.pending, copy.pendingHow);
            copy.pending = null;
        }
    }

    /** The copy shows, before the client knows, that it is in force. */
    static void applied(ModelCopy copy) {
        Settlement how = copy.pendingHow;
        copy.pending = null;
        copy.how = how + " by a transaction";
        boolean target = copy.queue.hasDeadLetters;
        switch (how) {
            case ACKED -> settled(copy);
            case RELEASED -> {}
            case FAILED -> {
                copy.failures++;
                copy.journaledFailures = copy.failures;
                copy.failuresFrom = 0;
                copy.failuresTo = 0;
                if (copy.queue.isOverLimit(copy.failures)) {
                    copy.settled = true;
                    copy.rejected = target;
                    copy.forGood = !target;
                }
            }
            case REJECTED -> {
                settled(copy);
                copy.rejected = target;
                copy.forGood = !target;
                copy.rejectedForGood = target;
            }
        }
    }

    private static void settled(ModelCopy copy) {
        copy.settled = true;
        copy.forGood = true;
    }

    /** True if the copy is away once a transaction is in force that may be in the log. */
    static boolean mayTake(ModelCopy copy) {
        return copy.pending != null && takes(copy.pendingHow, copy) || mayHaveBeenTaken(copy);
    }

    /** As {@link #mayTake}, by one that the shard gave up. */
    private static boolean mayHaveBeenTaken(ModelCopy copy) {
        return copy.givenUp.values().stream().anyMatch(how -> takes(how, copy));
    }

    private static boolean takes(Settlement how, ModelCopy copy) {
        return switch (how) {
            case ACKED -> true;
            case RELEASED -> false;
            case FAILED -> !copy.queue.hasDeadLetters && copy.queue.isOverLimit(copy.failures + 1);
            case REJECTED -> !copy.queue.hasDeadLetters;
        };
    }

    /** A start has found the copy. */
    static void found(ModelCopy copy, int deliveryCount, boolean rejected) {
        if (copy.givenUp.containsValue(Settlement.FAILED)) {
            // the log may have counted it all the same
            copy.failures = Math.max(copy.failures, Math.min(deliveryCount, copy.failures + 1));
        }
        ModelTransaction of = copy.pending;
        if (of == null) {
            return;
        }
        switch (copy.pendingHow) {
            case ACKED -> of.seen(copy.message, false);
            case RELEASED -> {}
            case FAILED -> of.seen(copy.message, deliveryCount > copy.failures);
            case REJECTED -> {
                if (!copy.givenUp.containsValue(Settlement.REJECTED)) {
                    of.seen(copy.message, rejected);
                }
            }
        }
        if (copy.pendingHow == Settlement.FAILED) {
            copy.failures = deliveryCount;
        }
    }

    /** A start has not found the copy, which nothing but a transaction can have taken. */
    static void gone(ModelCopy copy) {
        if (copy.pending != null && !mayHaveBeenTaken(copy)) {
            copy.pending.seen(copy.message, true);
        }
    }

    private void seen(ModelMessage message, boolean inForce) {
        if (inForce) {
            committed += " m" + message.serial;
        } else {
            missing += " m" + message.serial;
        }
    }

    /** All that a start shows is known: it is all there or not at all. */
    void judge() {
        for (ModelMessage message : messages) {
            message.streams.forEach(stream -> seen(message, stream.seen.contains(message.serial)));
            for (ModelCopy copy : message.copies) {
                boolean mayBeAway = !copy.queue.durable
                        || copy.queue.deleted
                        || message.asked == Durability.MEMORY
                        || copy.settled && copy.gone;
                if (!mayBeAway) {
                    seen(message, !copy.gone);
                }
            }
        }
        for (Part part : parts) {
            part.copy().pending = null;
            part.copy().givenUp.clear();
        }
        A_TRANSACTION_IS_ALL_OR_NOTHING.hold(
                committed.isEmpty() || missing.isEmpty(),
                "of a transaction%s is there and%s is not",
                committed,
                missing);
    }
}
