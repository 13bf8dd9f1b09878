package io.sluice.amqp.fuzz;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Field tables of all types by chance. */
final class RandomTables {
    private RandomTables() {}

    static Map<String, @Nullable Object> table(Random random, int depth) {
        Map<String, @Nullable Object> table = new LinkedHashMap<>();
        for (int i = random.nextInt(5); i > 0; i--) {
            table.put("x" + random.nextInt(1000), value(random, depth));
        }
        return table;
    }

    private static @Nullable Object value(Random random, int depth) {
        return switch (random.nextInt(depth > 0 ? 13 : 11)) {
            case 0 -> random.nextBoolean();
            case 1 -> (byte) random.nextInt();
            case 2 -> (short) random.nextInt();
            case 3 -> random.nextInt();
            case 4 -> random.nextLong();
            case 5 -> random.nextFloat();
            case 6 -> random.nextDouble();
            case 7 -> BigDecimal.valueOf(random.nextInt(), random.nextInt(20));
            case 8 -> "text ü " + random.nextInt();
            case 9 -> Instant.ofEpochSecond(random.nextInt());
            case 10 -> random.nextBoolean() ? null : new byte[] {1, (byte) 0xFF};
            case 11 -> table(random, depth - 1);
            default -> {
                List<@Nullable Object> list = new ArrayList<>();
                for (int i = random.nextInt(4); i > 0; i--) {
                    list.add(value(random, depth - 1));
                }
                yield list;
            }
        };
    }
}
