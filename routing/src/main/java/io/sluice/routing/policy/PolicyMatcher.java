package io.sluice.routing.policy;

import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A policy that can tell whether a name is one of its. Thread-safe. */
final class PolicyMatcher {
    private static final Logger LOG = LoggerFactory.getLogger(PolicyMatcher.class);
    /** Characters that a match may look at, counting again whenever it goes back to one. */
    private static final int STEPS = 100_000;

    private final Policy policy;
    private final Pattern pattern;
    private volatile boolean complained;

    PolicyMatcher(Policy policy) {
        this.policy = policy;
        this.pattern = Pattern.compile(policy.pattern());
    }

    Policy policy() {
        return policy;
    }

    boolean matchesExchange(String name) {
        return policy.target().takesExchanges() && matches(name);
    }

    boolean matchesQueue(String name, QueueType type) {
        return policy.target().takes(type) && isApplicable(type) && matches(name);
    }

    /** A policy with a setting that a type of queues cannot have is not for queues of this type. */
    private boolean isApplicable(QueueType type) {
        for (String name : policy.definition().keySet()) {
            PolicyKey key = PolicyKey.of(name);
            if (key != null && !key.isOf(type)) {
                return false;
            }
        }
        return true;
    }

    private boolean matches(String name) {
        try {
            return pattern.matcher(new Bounded(name, 0, name.length(), new int[] {STEPS}))
                    .find();
        } catch (TooLongException | StackOverflowError e) {
            if (!complained) {
                complained = true;
                LOG.warn(
                        "Policy '{}': its pattern takes too long to match names such as '{}', they are taken as not matching;"
                                + " not logged again",
                        policy.name(),
                        name);
            }
            return false;
        }
    }

    @SuppressWarnings("serial") // never serialized
    private static final class TooLongException extends RuntimeException {
        TooLongException() {
            super("too many steps", null, false, false);
        }
    }

    /** A name that lets itself be read so many times: patterns may need exponential time, which the shard has not. */
    private static final class Bounded implements CharSequence {
        private final String text;
        private final int start;
        private final int end;
        private final int[] left;

        Bounded(String text, int start, int end, int[] left) {
            this.text = text;
            this.start = start;
            this.end = end;
            this.left = left;
        }

        @Override
        public char charAt(int index) {
            if (--left[0] < 0) {
                throw new TooLongException();
            }
            return text.charAt(start + index);
        }

        @Override
        public int length() {
            return end - start;
        }

        @Override
        public CharSequence subSequence(int from, int to) {
            return new Bounded(text, start + from, start + to, left);
        }

        @Override
        public String toString() {
            return text.substring(start, end);
        }
    }
}
