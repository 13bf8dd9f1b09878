package io.sluice.amqp091.session;

import io.sluice.io.Entropy;
import java.util.UUID;

/** Randomness for names that the server chooses: queues and consumer tags. */
public final class RandomNames {
    private static final Entropy ENTROPY = Entropy.system();

    private RandomNames() {}

    public static UUID uuid() {
        return ENTROPY.uuid();
    }
}
