package io.sluice.server.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.dataformat.yaml.YAMLFactory;

/**
 * Reads a YAML file into dotted keys that remember their line. Nested maps and dotted keys may be mixed: {@code amqp: {port:
 * 5672}} and {@code amqp.port: 5672} say the same.
 */
final class YamlFile {
    /** No configuration is larger; stops an endless or wrong file before it fills the memory. */
    private static final long MAX_BYTES = 1 << 20;

    private static final int MAX_DEPTH = 16;
    private static final String ROUTES = "routes";

    private final String name;
    private final JsonParser parser;
    private final Map<String, Entry> settings = new LinkedHashMap<>();
    private final List<RouteSetting> routes = new ArrayList<>();

    private YamlFile(String name, JsonParser parser) {
        this.name = name;
        this.parser = parser;
    }

    static Source read(Path file) {
        String text;
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new ConfigException(
                        "The configuration file " + file + " is larger than 1 MiB; is it the right file?");
            }
            text = Files.readString(file);
        } catch (NoSuchFileException e) {
            throw new ConfigException(
                    "The configuration file " + file + " does not exist; check the path given with --config.", e);
        } catch (IOException e) {
            throw new ConfigException(
                    "The configuration file " + file + " cannot be read (" + e.getMessage()
                            + "); it must be UTF-8 text that this user may read.",
                    e);
        }
        return parse(String.valueOf(file.getFileName()), text);
    }

    static Source parse(String name, String text) {
        YAMLFactory factory = YAMLFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        try (JsonParser parser = factory.createParser(ObjectReadContext.empty(), text)) {
            YamlFile file = new YamlFile(name, parser);
            file.document();
            return new Source(file.settings, file.routes);
        } catch (JacksonException e) {
            int line = e.getLocation() == null ? -1 : e.getLocation().getLineNr();
            throw new ConfigException(
                    name + (line > 0 ? " line " + line : "") + " is not valid YAML: "
                            + firstLine(e.getOriginalMessage()),
                    e);
        }
    }

    private void document() {
        JsonToken first = parser.nextToken();
        if (first == null || first == JsonToken.VALUE_NULL) {
            return;
        }
        if (first != JsonToken.START_OBJECT) {
            throw wrong("must be a map of settings such as 'amqp: {port: 5672}'");
        }
        map("", 0);
        if (parser.nextToken() != null) {
            throw wrong("begins a second YAML document; a configuration is one document");
        }
    }

    private void map(String prefix, int depth) {
        if (depth > MAX_DEPTH) {
            throw wrong("nests deeper than any setting");
        }
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String key = prefix + parser.currentName();
            JsonToken token = parser.nextToken();
            if (token == JsonToken.START_OBJECT) {
                map(key + ".", depth + 1);
            } else if (token == JsonToken.START_ARRAY) {
                if (!key.equals(ROUTES)) {
                    ConfigException wrong = wrong("gives a list for '" + key + "'; only 'routes' is a list");
                    parser.skipChildren(); // unless it is no list at all but broken YAML, which this finds
                    throw wrong;
                }
                routes();
            } else if (token != JsonToken.VALUE_NULL) {
                Entry before = settings.put(key, new Entry(parser.getString(), where()));
                if (before != null) {
                    throw wrong("sets '" + key + "' again, first set in " + before.source());
                }
            }
        }
    }

    private void routes() {
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                throw wrong("must be a route such as '- {from: \"mqtt:sensors/+/temp\", to: \"stream:telemetry\"}'");
            }
            routes.add(route());
        }
    }

    private RouteSetting route() {
        String source = where();
        Map<String, String> fields = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String field = parser.currentName();
            if (!List.of("from", "to", "key", "vhost").contains(field)) {
                throw wrong("has '" + field + "' in a route; a route has from, to, key and vhost");
            }
            JsonToken token = parser.nextToken();
            if (token == null || !token.isScalarValue() || token == JsonToken.VALUE_NULL) {
                throw wrong("must give text for '" + field + "'");
            }
            fields.put(field, parser.getString());
        }
        return new RouteSetting(
                required(fields, "from", source),
                required(fields, "to", source),
                fields.get("key"),
                fields.getOrDefault("vhost", "/"),
                source);
    }

    private static String required(Map<String, String> fields, String field, String source) {
        @Nullable String value = fields.get(field);
        if (value == null) {
            throw new ConfigException("The route in " + source + " lacks '" + field + "'.");
        }
        return value;
    }

    private String where() {
        return name + " line " + parser.currentTokenLocation().getLineNr();
    }

    private ConfigException wrong(String what) {
        return new ConfigException(where() + " " + what + ".");
    }

    private static String firstLine(@Nullable String message) {
        return message == null ? "unreadable" : message.lines().findFirst().orElse("unreadable");
    }
}
