package io.sluice.server.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.log.Durability;
import io.sluice.mqtt.MqttSettings;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigLoaderTest {
    @TempDir
    Path dir;

    @Test
    void defaultsAreThoseOfTheProtocols() {
        SluiceConfig config = load();

        assertThat(config.amqp()).isEqualTo(new SluiceConfig.Amqp(5672, 16 << 20, 1_800_000));
        assertThat(config.mqtt()).isEqualTo(new SluiceConfig.Mqtt(1883, MqttSettings.DEFAULT));
        assertThat(config.connectSeconds()).isEqualTo(10);
        assertThat(config.kafka()).isEqualTo(new SluiceConfig.Native(9092, null, 100 << 20));
        assertThat(config.managementPort()).isEqualTo(15672);
        assertThat(config.durability()).isNull();
        assertThat(config.data()).isEqualTo(Path.of("data").toAbsolutePath());
        assertThat(config.bind()).isNotEmpty().allMatch(InetAddress::isLoopbackAddress);
        assertThat(config.routes()).isEmpty();
    }

    @Test
    void flagsWinOverEnvironmentWhichWinsOverTheFile() throws IOException {
        Path file = write("amqp:\n  port: 1\nmqtt.port: 2\nnative:\n  port: 3\n");

        SluiceConfig config = ConfigLoader.load(
                file,
                Map.of("SLUICE_CONF_MQTT__PORT", "20", "SLUICE_CONF_NATIVE__PORT", "30", "OTHER", "x"),
                List.of("native.port=300"));

        assertThat(config.amqp().port()).isEqualTo(1);
        assertThat(config.mqtt().port()).isEqualTo(20);
        assertThat(config.kafka().port()).isEqualTo(300);
    }

    @Test
    void limitsOfTheMqttDoorAreSettingsWithBounds() {
        MqttSettings mqtt = load(
                        "mqtt.max-inflight=20", "mqtt.max-queued=30", "mqtt.max-pending-size=1MiB", "durability=os")
                .mqtt()
                .settings();

        assertThat(mqtt.maxInFlight()).isEqualTo(20);
        assertThat(mqtt.maxQueued()).isEqualTo(30);
        assertThat(mqtt.pendingBytes()).isEqualTo(1 << 20);
        assertThat(mqtt.durability()).isEqualTo(Durability.OS);
        for (String beyond : List.of(
                "mqtt.max-inflight=65536",
                "mqtt.max-queued=0",
                "mqtt.max-keep-alive=0",
                "mqtt.max-subscriptions=1000001",
                "connect.timeout-seconds=0",
                "cleaner.seconds=-1")) {
            assertThatThrownBy(() -> load(beyond))
                    .isInstanceOf(ConfigException.class)
                    .hasMessageContaining("must be a whole number from");
        }
    }

    @Test
    void environmentReachesKeysWithHyphens() {
        SluiceConfig config = ConfigLoader.load(null, Map.of("SLUICE_CONF_AMQP__MAX_MESSAGE_SIZE", "32MiB"), List.of());

        assertThat(config.amqp().maxMessageBytes()).isEqualTo(32 << 20);
    }

    @Test
    void unknownKeyInTheFileNamesLineAndNearestKey() throws IOException {
        Path file = write("amqp:\n  port: 5672\nmqtt:\n  prot: 1884\n");

        assertThatThrownBy(() -> ConfigLoader.load(file, Map.of(), List.of()))
                .isInstanceOf(ConfigException.class)
                .hasMessage("Unknown setting 'mqtt.prot' (sluice.yaml line 4); the nearest is 'mqtt.port'.");
    }

    @Test
    void unknownKeysOfEnvironmentAndFlagsNameTheirSource() {
        assertThatThrownBy(() -> ConfigLoader.load(null, Map.of("SLUICE_CONF_DURABLITY", "os"), List.of()))
                .hasMessageContaining("environment SLUICE_CONF_DURABLITY")
                .hasMessageContaining("'durability'");
        assertThatThrownBy(() -> load("native.ports=1"))
                .hasMessageContaining("--set native.ports")
                .hasMessageContaining("'native.port'");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "amqp.port=70000           | whole number from 0 to 65535",
                "amqp.port=x               | --set amqp.port",
                "durability=quorum         | must be one of memory, os, group",
                "amqp.max-message-size=1TB | must be a size",
                "amqp.max-message-size=129MiB | to 128MiB",
                "native.advertised=a:b:c   | HOST or HOST:PORT",
                "memory.limit=0%           | from 1% to 99%",
                "amqp.port=                | amqp.port is empty",
                "amqp.port=1883            | amqp.port and mqtt.port are both 1883",
                "disk.warn-free=1MiB       | must not be below disk.min-free (unset",
                "nonsense                  | KEY=VALUE",
            })
    void wrongValuesSayWhatIsRight(String flag, String expected) {
        assertThatThrownBy(() -> load(flag)).isInstanceOf(ConfigException.class).hasMessageContaining(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.0.0.0", "192.168.1.7", "::", "example.org", "127.0.0.2"})
    void bindBeyondLoopbackIsRefusedUntilThereAreUsers(String address) {
        assertThatThrownBy(() -> load("bind=" + address))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("bind = '" + address + "' is refused")
                .hasMessageContaining("users");
    }

    @Test
    void valuesAreRead() {
        SluiceConfig config = load(
                "durability=os",
                "native.advertised=[::1]:19092",
                "memory.limit=64MiB",
                "bind=127.0.0.1",
                "log.level=DEBUG");

        assertThat(config.durability()).isEqualTo(Durability.OS);
        assertThat(config.kafka().advertised()).isEqualTo(new SluiceConfig.Advertised("::1", 19092));
        assertThat(config.limits().memoryBytes()).isEqualTo(64L << 20);
        assertThat(config.bind()).extracting(InetAddress::getHostAddress).containsExactly("127.0.0.1");
        assertThat(config.logLevel()).isEqualTo("debug");
    }

    @Test
    void severalFreePortsDoNotClash() {
        SluiceConfig config = load("amqp.port=0", "mqtt.port=0", "native.port=0", "management.port=0");

        assertThat(config.amqp().port()).isZero();
    }

    @Test
    void routesAreReadInOrderWithTheirLines() throws IOException {
        Path file = write("routes:\n  - {from: 'mqtt:sensors/+/temp', to: 'stream:telemetry'}\n"
                + "  - from: exchange:orders\n    to: stream:orders\n    key: eu.#\n    vhost: shop\n");

        assertThat(ConfigLoader.load(file, Map.of(), List.of()).routes())
                .containsExactly(
                        new RouteSetting("mqtt:sensors/+/temp", "stream:telemetry", null, "/", "sluice.yaml line 2"),
                        new RouteSetting("exchange:orders", "stream:orders", "eu.#", "shop", "sluice.yaml line 3"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'amqp: [1, 2]'                       | gives a list for 'amqp'",
                "'amqp: ['                            | sluice.yaml line 1 is not valid YAML",
                "'routes: [x]'                        | must be a route",
                "'routes: [{from: a}]'                | lacks 'to'",
                "'routes: [{from: a, too: b}]'        | has 'too' in a route",
                "'routes: [{from: {a: b}, to: b}]'    | must give text for 'from'",
                "'just text'                          | must be a map of settings",
                "'amqp: {port: 1'                     | sluice.yaml line 1 is not valid YAML",
                "'{amqp: {port: 1}, amqp.port: 2}'    | sets 'amqp.port' again",
            })
    void wrongFilesSayWhere(String text, String expected) throws IOException {
        Path file = write(text);

        assertThatThrownBy(() -> ConfigLoader.load(file, Map.of(), List.of()))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("sluice.yaml")
                .hasMessageContaining(expected);
    }

    @Test
    void emptyFileIsAllDefaults() throws IOException {
        assertThat(ConfigLoader.load(write("# nothing yet\n"), Map.of(), List.of()))
                .isEqualTo(load());
    }

    @Test
    void missingFileIsOneSentence() {
        assertThatThrownBy(() -> ConfigLoader.load(dir.resolve("none.yaml"), Map.of(), List.of()))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("none.yaml does not exist");
    }

    @Test
    void everySettingIsDescribed() {
        assertThat(ConfigLoader.describe()).hasSize(Key.names().size()).allMatch(line -> line.length() > 30);
    }

    private static SluiceConfig load(String... flags) {
        return ConfigLoader.load(null, Map.of(), List.of(flags));
    }

    private Path write(String text) throws IOException {
        return Files.writeString(dir.resolve("sluice.yaml"), text);
    }
}
