package io.sluice.server.config;

import io.sluice.log.Durability;
import io.sluice.mqtt.MqttSettings;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The one place where settings are read and checked. Later sources win: defaults, file, environment ({@code
 * SLUICE_CONF_AMQP__PORT}), flags ({@code --set amqp.port=5673}).
 */
public final class ConfigLoader {
    private static final String ENV_PREFIX = "SLUICE_CONF_";
    private static final byte[] LOOPBACK_4 = {127, 0, 0, 1};
    private static final byte[] LOOPBACK_6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

    private ConfigLoader() {}

    /**
     * Reads and checks all settings.
     *
     * @param file configuration file, null for none
     * @param environment environment of the process
     * @param flags {@code key=value} as given with {@code --set}
     * @throws ConfigException with one sentence for the operator
     */
    public static SluiceConfig load(@Nullable Path file, Map<String, String> environment, List<String> flags) {
        Source fromFile = file == null ? new Source(Map.of()) : YamlFile.read(file);
        Map<String, Entry> settings = new LinkedHashMap<>(fromFile.settings());
        settings.putAll(fromEnvironment(environment));
        settings.putAll(fromFlags(flags));
        return check(settings, fromFile.routes());
    }

    /** One line per setting: name, default and meaning. */
    public static List<String> describe() {
        return Key.all().stream()
                .map(key -> String.format(
                        Locale.ROOT,
                        "%-24s %-10s %s",
                        key.name(),
                        key.fallback().isEmpty() ? "-" : key.fallback(),
                        key.help()))
                .toList();
    }

    private static Map<String, Entry> fromEnvironment(Map<String, String> environment) {
        Map<String, Entry> settings = new LinkedHashMap<>();
        environment.forEach((variable, value) -> {
            if (variable.startsWith(ENV_PREFIX)) {
                String key = variable.substring(ENV_PREFIX.length())
                        .toLowerCase(Locale.ROOT)
                        .replace("__", ".")
                        .replace('_', '-');
                settings.put(key, new Entry(value, "environment " + variable));
            }
        });
        return settings;
    }

    private static Map<String, Entry> fromFlags(List<String> flags) {
        Map<String, Entry> settings = new LinkedHashMap<>();
        for (String flag : flags) {
            int equals = flag.indexOf('=');
            if (equals < 1) {
                throw new ConfigException(
                        "--set " + flag + " must have the form KEY=VALUE, such as --set amqp.port=5673.");
            }
            String key = flag.substring(0, equals).trim();
            settings.put(key, new Entry(flag.substring(equals + 1), "--set " + key));
        }
        return settings;
    }

    private static SluiceConfig check(Map<String, Entry> settings, List<RouteSetting> routes) {
        settings.forEach((key, entry) -> {
            if (!Key.names().contains(key)) {
                throw new ConfigException("Unknown setting '" + key + "' (" + entry.source() + "); the nearest is '"
                        + NearestKey.of(key, Key.names()) + "'.");
            }
        });
        String level = Key.DURABILITY.resolve(settings);
        Durability durability = level == null ? null : Durability.valueOf(level.toUpperCase(Locale.ROOT));
        SluiceConfig config = new SluiceConfig(
                path(Key.DATA.require(settings)),
                bind(Key.BIND.require(settings)),
                durability,
                new SluiceConfig.Amqp(
                        Key.AMQP_PORT.require(settings),
                        Key.AMQP_MAX_MESSAGE.require(settings),
                        Key.AMQP_CONSUMER_TIMEOUT.require(settings) * 1000L),
                new SluiceConfig.Mqtt(Key.MQTT_PORT.require(settings), mqtt(settings, durability)),
                new SluiceConfig.Native(
                        Key.NATIVE_PORT.require(settings),
                        Key.NATIVE_ADVERTISED.resolve(settings),
                        Key.NATIVE_MAX_REQUEST.require(settings)),
                Key.CONNECT_SECONDS.require(settings),
                Key.MANAGEMENT_PORT.require(settings),
                new SluiceConfig.Limits(
                        Key.MEMORY_LIMIT.require(settings),
                        Key.DISK_WARN.resolve(settings),
                        Key.DISK_MIN.resolve(settings),
                        Key.OPEN_FILES.require(settings),
                        Key.CLEANER_SECONDS.require(settings),
                        Key.CHECKPOINT_SECONDS.require(settings)),
                Key.LOG_LEVEL.require(settings),
                routes);
        checkPorts(config);
        checkDisk(config.limits());
        return config;
    }

    private static MqttSettings mqtt(Map<String, Entry> settings, @Nullable Durability durability) {
        MqttSettings base = MqttSettings.DEFAULT;
        return new MqttSettings(
                Key.MQTT_MAX_PACKET.require(settings),
                base.maxConnectBytes(),
                Key.CONNECT_SECONDS.require(settings) * 1_000,
                Key.MQTT_RECEIVE_MAXIMUM.require(settings),
                Key.MQTT_MAX_INFLIGHT.require(settings),
                Key.MQTT_TOPIC_ALIASES.require(settings),
                Key.MQTT_MAX_KEEP_ALIVE.require(settings),
                Key.MQTT_MAX_CONNECTIONS.require(settings),
                Key.MQTT_MAX_SESSIONS.require(settings),
                Key.MQTT_MAX_SUBSCRIPTIONS.require(settings),
                Key.MQTT_MAX_QUEUED.require(settings),
                Key.MQTT_MAX_PENDING.require(settings),
                Key.MQTT_MAX_PENDING_SIZE.require(settings),
                Key.MQTT_MAX_PENDING_TOTAL.require(settings),
                durability == null ? base.durability() : durability);
    }

    private static void checkDisk(SluiceConfig.Limits limits) {
        Long warn = limits.diskWarnBytes();
        Long min = limits.diskMinBytes();
        if (warn != null && (min == null || warn < min)) {
            throw new ConfigException("disk.warn-free (" + Values.readable(warn) + ") must not be below disk.min-free ("
                    + (min == null ? "unset: set it too" : Values.readable(min))
                    + "), or the warning would come after the stop.");
        }
    }

    private static void checkPorts(SluiceConfig config) {
        Map<Integer, String> taken = new LinkedHashMap<>();
        Map<String, Integer> ports = new LinkedHashMap<>();
        ports.put(Key.AMQP_PORT.name(), config.amqp().port());
        ports.put(Key.MQTT_PORT.name(), config.mqtt().port());
        ports.put(Key.NATIVE_PORT.name(), config.kafka().port());
        ports.put(Key.MANAGEMENT_PORT.name(), config.managementPort());
        ports.forEach((key, port) -> {
            String other = port == 0 ? null : taken.put(port, key);
            if (other != null) {
                throw new ConfigException(other + " and " + key + " are both " + port + "; give each its own port.");
            }
        });
    }

    private static Path path(String text) {
        try {
            return Path.of(text).toAbsolutePath().normalize();
        } catch (InvalidPathException e) {
            throw new ConfigException("data = '" + text + "' is not a path: " + e.getReason() + ".", e);
        }
    }

    /** Loopback only: the doors have no locks yet, so nobody beyond this machine may reach them. */
    private static List<InetAddress> bind(String text) {
        try {
            return switch (text.toLowerCase(Locale.ROOT)) {
                case "localhost" ->
                    hasLoopback6()
                            ? List.of(InetAddress.getByAddress(LOOPBACK_4), InetAddress.getByAddress(LOOPBACK_6))
                            : List.of(InetAddress.getByAddress(LOOPBACK_4));
                case "127.0.0.1" -> List.of(InetAddress.getByAddress(LOOPBACK_4));
                case "::1", "[::1]" -> List.of(InetAddress.getByAddress(LOOPBACK_6));
                default ->
                    throw new ConfigException("bind = '" + text
                            + "' is refused: without users anyone who reaches it could read and write everything, and users"
                            + " cannot be configured yet; use localhost, 127.0.0.1 or ::1.");
            };
        } catch (UnknownHostException e) {
            throw new IllegalStateException("an address of 4 or 16 bytes is always valid", e);
        }
    }

    private static boolean hasLoopback6() throws UnknownHostException {
        try {
            return NetworkInterface.getByInetAddress(InetAddress.getByAddress(LOOPBACK_6)) != null;
        } catch (SocketException e) {
            return false;
        }
    }
}
