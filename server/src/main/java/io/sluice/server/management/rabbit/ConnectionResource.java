package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.server.management.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code /api/connections}, {@code /api/channels} and {@code /api/consumers}; the latter two are those of AMQP. Stateless. */
final class ConnectionResource {
    private static final String REASON = "Closed via management API";

    private ConnectionResource() {}

    static List<ConnectionInfo> all(Api api) {
        return api.await(api.amqp().connections());
    }

    /** Connections of all protocols. */
    static List<Map<String, @Nullable Object>> connectionViews(Api api) {
        List<Map<String, @Nullable Object>> views = new ArrayList<>();
        all(api).forEach(info -> views.add(Views.connection(info)));
        api.await(api.gateways().mqtt().describe()).forEach(info -> views.add(OtherConnections.mqtt(info)));
        api.await(api.gateways().kafka().connections()).forEach(info -> views.add(OtherConnections.kafka(info)));
        return views;
    }

    /** Channels of all connections. */
    static List<Map<String, @Nullable Object>> channelViews(Api api) {
        List<Map<String, @Nullable Object>> views = new ArrayList<>();
        for (ConnectionInfo info : all(api)) {
            info.channels().forEach(channel -> views.add(Views.channel(info, channel)));
        }
        return views;
    }

    static Reply connections(Api api) {
        String name = api.part(1);
        List<Map<String, @Nullable Object>> views = connectionViews(api);
        if (name == null) {
            Methods.allow(api, HttpMethod.GET);
            return Reply.json(OK, Listing.of(views, api.request().query()));
        }
        if (name.equals("username") && api.parts() == 3) {
            views.removeIf(view -> !String.valueOf(api.part(2)).equals(view.get("user")));
            return ofUser(api, views);
        }
        Map<String, @Nullable Object> view = views.stream()
                .filter(one -> name.equals(one.get("name")))
                .findFirst()
                .orElseThrow(ApiException::notFound);
        if ("channels".equals(api.part(2)) && api.parts() == 3) {
            Methods.allow(api, HttpMethod.GET);
            return Reply.json(OK, channelsOf(api, name));
        } else if (api.parts() > 2) {
            throw ApiException.notFound();
        }
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, view);
        }
        Methods.allow(api, HttpMethod.DELETE);
        close(api, name);
        return Reply.empty(NO_CONTENT);
    }

    private static Reply ofUser(Api api, List<Map<String, @Nullable Object>> views) {
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, Listing.of(views, api.request().query()));
        }
        Methods.allow(api, HttpMethod.DELETE);
        views.forEach(view -> close(api, String.valueOf(view.get("name"))));
        return Reply.empty(NO_CONTENT);
    }

    private static List<Map<String, @Nullable Object>> channelsOf(Api api, String connection) {
        List<Map<String, @Nullable Object>> views = new ArrayList<>();
        for (ConnectionInfo info : all(api)) {
            if (info.name().equals(connection)) {
                info.channels().forEach(channel -> views.add(Views.channel(info, channel)));
            }
        }
        return views;
    }

    private static void close(Api api, String name) {
        String given = api.request().reason();
        String reason = given == null ? REASON : given;
        boolean closed = api.await(api.amqp().closeConnection(name, reason))
                || api.await(api.gateways().mqtt().closeConnection(name, reason))
                || api.await(api.gateways().kafka().closeConnection(name, reason));
        if (!closed) {
            throw ApiException.notFound();
        }
    }

    static Reply channels(Api api) {
        Methods.allow(api, HttpMethod.GET);
        List<Map<String, @Nullable Object>> views = channelViews(api);
        String name = api.part(1);
        return name == null
                ? Reply.json(OK, Listing.of(views, api.request().query()))
                : Reply.json(
                        OK,
                        views.stream()
                                .filter(view -> name.equals(view.get("name")))
                                .findFirst()
                                .orElseThrow(ApiException::notFound));
    }

    static Reply consumers(Api api) {
        Methods.allow(api, HttpMethod.GET);
        String vhost = api.part(1) == null ? null : api.host(1).name();
        List<Map<String, @Nullable Object>> views = new ArrayList<>();
        for (ConnectionInfo info : all(api)) {
            if (vhost == null || vhost.equals(info.vhost())) {
                info.channels()
                        .forEach(channel -> channel.consumers()
                                .forEach(consumer -> views.add(Views.consumer(info, channel, consumer))));
            }
        }
        return Reply.json(OK, Listing.of(views, api.request().query()));
    }
}
