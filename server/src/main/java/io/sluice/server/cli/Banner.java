package io.sluice.server.cli;

import io.sluice.server.SluiceServer;
import io.sluice.server.config.SluiceConfig;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.Map;

/** What a newcomer reads once the broker serves: where it is and what to try next. */
final class Banner {
    private Banner() {}

    static void print(PrintWriter out, SluiceServer server, SluiceConfig config) {
        Map<String, Integer> ports = server.ports();
        int mqtt = ports.getOrDefault("MQTT", 0);
        int amqp = ports.getOrDefault("AMQP", 0);
        int kafka = ports.getOrDefault("Kafka", 0);
        int management = ports.getOrDefault("management", 0);
        String host = config.bind().get(0).getHostAddress();
        long millis = System.currentTimeMillis()
                - ManagementFactory.getRuntimeMXBean().getStartTime();
        out.printf(
                Locale.ROOT,
                """

                Sluice %s is ready after %.2f s on JDK %d. Messages are kept in %s.

                  MQTT    %s:%d    mosquitto_pub -p %d -q 1 -t sensors/7/temp -m 21.5
                  AMQP    %s:%d    amqp://guest:guest@%s:%d
                  Kafka   %s:%d    kcat -b %s:%d -L
                  HTTP    %s:%d   http://%s:%d/readyz and /metrics

                To let Kafka clients read what devices publish:  sluice route add 'mqtt:sensors/#' stream:telemetry
                To see all three protocols pass one message:     sluice tour
                Only programs on this machine can connect. Ctrl-C stops the broker.

                """,
                Version.text(),
                millis / 1000.0,
                Runtime.version().feature(),
                config.data(),
                host,
                mqtt,
                mqtt,
                host,
                amqp,
                host,
                amqp,
                host,
                kafka,
                host,
                kafka,
                host,
                management,
                host,
                management);
        out.flush();
    }
}
