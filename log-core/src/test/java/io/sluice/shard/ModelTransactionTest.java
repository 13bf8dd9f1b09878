package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.log.Durability;
import io.sluice.log.LogException.Reason;
import io.sluice.queue.DeathReason;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Settlement;
import io.sluice.queue.TargetSet.Stamp;
import io.sluice.shard.IndexReader.Held;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * What the model allows a start to show after a disk that failed while the log took a transaction: the shard gives it up and delivers
 * its messages again, and a client settles them in another transaction, which the shard refuses as it refuses everything by then.
 */
class ModelTransactionTest {
    private static final String VALUE = "m1;";
    private static final Stamp STAMP = new Stamp(0, 1, 0, 0);

    private long now = 1;
    private final CoreModel model = new CoreModel(() -> now);
    private final ModelQueue queue = new ModelQueue(1, true, QueuePolicy.NONE);
    private final ModelQueue other = new ModelQueue(2, true, QueuePolicy.NONE);
    private final ModelQueue dying = new ModelQueue(
            3, true, QueuePolicy.builder().deadLetterExchange("").messageTtl(1).build());
    private final ModelCopy copy = publish(1, queue);

    private ModelCopy publish(int serial, ModelQueue to) {
        ModelMessage message = model.message(serial, "m" + serial + ";", Durability.GROUP);
        ModelCopy sent = new ModelCopy(message, to);
        message.copies.add(sent);
        model.submitted(message);
        model.completed(message, null, false, 1);
        return sent;
    }

    private void deliver(boolean again) {
        model.delivered(queue, again ? 2 : 1, VALUE, again, false, STAMP, 1);
    }

    /** Submits a transaction and has it fail for this reason. */
    private void commit(Settlement how, Reason failure, ModelMessage... messages) {
        ModelTransaction transaction = new ModelTransaction(List.of(messages));
        transaction.settle(copy, how);
        for (ModelMessage message : messages) {
            model.submitted(message);
        }
        model.submitted(transaction);
        model.completed(transaction, failure);
    }

    private void start(Held... held) {
        model.recovered(queue, List.of(held), false, false, offset -> true);
        model.recovered(dying, List.of(), false, false, offset -> true);
        model.recovered(other, List.of(), false, false, offset -> true);
        model.restarted(false);
    }

    private static Held held(int failures) {
        return new Held(true, true, VALUE, failures, true, 0, 0, false, false, false, STAMP);
    }

    private void givenUp(Settlement first, Settlement second) {
        deliver(false);
        commit(first, Reason.FENCED);
        deliver(true);
        commit(second, Reason.FENCED);
    }

    @Test
    void theLogMayHaveTheFirstThoughAnotherFollowed() {
        givenUp(Settlement.REJECTED, Settlement.FAILED);
        assertThatCode(this::start).doesNotThrowAnyException();
        assertThat(copy.gone).isTrue();
        assertThat(copy.givenUp).isEmpty();
    }

    @Test
    void theLogNeedNotHaveIt() {
        givenUp(Settlement.REJECTED, Settlement.ACKED);
        assertThatCode(() -> start(held(0))).doesNotThrowAnyException();
        assertThat(copy.gone).isFalse();
        assertThat(copy.givenUp).isEmpty();
    }

    @Test
    void aFailureCountsOnceAndIsNotTakenForThatOfTheSecond() {
        deliver(false);
        commit(Settlement.FAILED, Reason.FENCED);
        deliver(true);
        ModelMessage lost = model.message(2, "m2;", Durability.GROUP);
        lost.copies.add(new ModelCopy(lost, other));
        commit(Settlement.FAILED, Reason.FENCED, lost);
        assertThatCode(() -> start(held(1))).doesNotThrowAnyException();
        assertThat(copy.failures).isEqualTo(1);
    }

    @Test
    void transactionsThatTakeNothingExcuseNoLoss() {
        givenUp(Settlement.RELEASED, Settlement.FAILED);
        assertThatThrownBy(this::start).hasMessageContaining("CONFIRMED_IS_NEVER_LOST");
    }

    @Test
    void aDeadLetterIsNotMissedOfWhatTheLogMaySayIsSettled() {
        ModelCopy expiring = expired(3);
        start(held(0));
        assertThat(expiring.gone).isTrue();
    }

    @Test
    void aDeadLetterIsMissedIfNothingSettledTheMessage() {
        ModelCopy expiring = expired(3);
        expiring.pending = null;
        assertThatThrownBy(() -> start(held(0))).hasMessageContaining("its dead letter m4 is not there");
    }

    /** Acknowledged in a transaction that the shard gave up, then expired; its dead letter was not stored any more. */
    private ModelCopy expired(int serial) {
        ModelCopy expiring = publish(serial, dying);
        ModelTransaction transaction = new ModelTransaction(List.of());
        transaction.settle(expiring, Settlement.ACKED);
        model.submitted(transaction);
        model.completed(transaction, Reason.FENCED);
        now = 3;
        model.died(dying, serial, DeathReason.EXPIRED, 0, STAMP, false);
        ModelMessage letter = model.message(serial + 1, "m4;", Durability.GROUP);
        expiring.successor = new ModelCopy(letter, other);
        letter.copies.add(expiring.successor);
        model.submitted(letter);
        model.completed(letter, Reason.FENCED, false, now);
        return expiring;
    }

    @Test
    void oneThatWasRefusedExcusesNoLoss() {
        deliver(false);
        ModelTransaction refused = new ModelTransaction(List.of());
        refused.settle(copy, Settlement.REJECTED);
        model.submitted(refused);
        deliver(true);
        commit(Settlement.FAILED, Reason.FENCED);
        // the answer comes when the passes before it have ended
        model.completed(refused, Reason.DISK_FULL);
        assertThatThrownBy(this::start).hasMessageContaining("CONFIRMED_IS_NEVER_LOST");
    }

    @Test
    void whatTheSecondTakesIsKnownAfterTheFirstWasRefused() {
        deliver(false);
        ModelTransaction refused = new ModelTransaction(List.of());
        refused.settle(copy, Settlement.RELEASED);
        model.submitted(refused);
        deliver(true);
        ModelTransaction second = new ModelTransaction(List.of());
        second.settle(copy, Settlement.ACKED);
        model.submitted(second);
        model.completed(refused, Reason.DISK_FULL);
        model.completed(second, null);
        assertThat(copy.forGood).isTrue();
    }
}
