using System.Text;
using System.Text.Json;
using CsCheck;
using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class QmpClientTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Negotiation_returns_the_version()
    {
        await using var server = new FakeQmpServer();
        await using var client = new QmpClient(server.Client);
        Task<string> negotiating = client.NegotiateAsync(Token);

        await server.GreetAsync();

        Assert.Equal("7.2.22", await negotiating);
    }

    [Fact]
    public async Task Answers_in_any_order_reach_the_command_they_belong_to()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = server;
        await using var __ = client;

        Task<JsonElement> first = client.ExecuteAsync("first", null, Token);
        (string firstName, long firstId) = await server.HearAsync();
        Task<JsonElement> second = client.ExecuteAsync("second", null, Token);
        (string secondName, long secondId) = await server.HearAsync();
        await server.AnswerAsync(secondId, "2");
        await server.AnswerAsync(firstId, "1");

        Assert.Equal(("first", "second"), (firstName, secondName));
        Assert.Equal(1, (await first).GetInt32());
        Assert.Equal(2, (await second).GetInt32());
    }

    [Fact]
    public async Task A_hundred_commands_at_once_are_all_answered()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = server;
        await using var __ = client;

        Task<JsonElement>[] commands = [.. Enumerable.Range(0, 100).Select(i => client.ExecuteAsync($"c{i}", null, Token))];
        var heard = new List<(string Command, long Id)>();
        for (int i = 0; i < commands.Length; i++)
        {
            heard.Add(await server.HearAsync());
        }

        foreach ((string command, long id) in Enumerable.Reverse(heard))
        {
            await server.AnswerAsync(id, $"\"{command}\"");
        }

        JsonElement[] answers = await Task.WhenAll(commands);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"c{i}"), answers.Select(answer => answer.GetString()));
    }

    [Fact]
    public async Task Arguments_are_sent_as_JSON()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = server;
        await using var __ = client;

        Task<JsonElement> command = client.ExecuteAsync("x", writer => writer.WriteString("text", "a\"\n"), Token);

        Assert.Equal("""{"execute":"x","id":2,"arguments":{"text":"a\u0022\n"}}""", await server.HearLineAsync());
        await server.AnswerAsync(2, "{}");
        await command;
    }

    [Fact]
    public async Task A_failed_command_says_what_QEMU_said()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = server;
        await using var __ = client;

        Task<JsonElement> command = client.ExecuteAsync("nonsense", null, Token);
        (string _, long id) = await server.HearAsync();
        await server.SayAsync($$$"""{"id": {{{id}}}, "error": {"class": "CommandNotFound", "desc": "The command nonsense has not been found"}}""");

        QmpException error = await Assert.ThrowsAsync<QmpException>(() => command);
        Assert.Equal("CommandNotFound", error.ErrorClass);
        Assert.Contains("has not been found", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_between_answers_keep_their_order_and_none_is_lost()
    {
        await using var server = new FakeQmpServer();
        await using var client = new QmpClient(server.Client);
        using QmpSubscription events = client.Subscribe();
        Task negotiating = client.NegotiateAsync(Token);
        await server.GreetAsync();
        for (int i = 0; i < 1000; i++)
        {
            await server.EventAsync("TICK", $$"""{"n": {{i}}}""");
        }

        await negotiating;
        await server.DisposeAsync();

        var seen = new List<int>();
        await foreach (QmpEvent value in events.ReadAsync(Token))
        {
            seen.Add(value.Data.GetProperty("n").GetInt32());
        }

        Assert.Equal(Enumerable.Range(0, 1000), seen);
    }

    [Fact]
    public async Task A_reader_who_falls_behind_is_told()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = server;
        await using var __ = client;
        using QmpSubscription events = client.Subscribe();
        for (int i = 0; i <= QmpSubscription.Limit; i++)
        {
            await server.EventAsync("TICK", "{}");
        }

        await server.DisposeAsync();
        await client.Closed.WaitAsync(Soon, Token);

        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (QmpEvent value in events.ReadAsync(Token))
            {
                Assert.Equal("TICK", value.Name);
            }
        });
    }

    [Fact]
    public async Task A_broken_connection_fails_all_who_wait_and_all_who_come_after()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = client;
        Task<JsonElement> first = client.ExecuteAsync("first", null, Token);
        Task<JsonElement> second = client.ExecuteAsync("second", null, Token);
        await server.HearAsync();
        await server.HearAsync();

        await server.DisposeAsync();

        IOException error = await Assert.ThrowsAsync<IOException>(() => first.WaitAsync(Soon, Token));
        Assert.Contains("QEMU closed it", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IOException>(() => second.WaitAsync(Soon, Token));
        await Assert.ThrowsAsync<IOException>(() => client.ExecuteAsync("third", null, Token));
    }

    [Fact]
    public async Task A_connection_that_ends_before_the_greeting_fails_the_negotiation()
    {
        await using var server = new FakeQmpServer();
        await using var client = new QmpClient(server.Client);

        await server.DisposeAsync();

        await Assert.ThrowsAsync<IOException>(() => client.NegotiateAsync(Token).WaitAsync(Soon, Token));
    }

    [Fact]
    public async Task A_command_that_is_given_up_does_not_disturb_the_next()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = server;
        await using var __ = client;
        using var cancel = new CancellationTokenSource();
        Task<JsonElement> given = client.ExecuteAsync("given-up", null, cancel.Token);
        (string _, long givenId) = await server.HearAsync();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);

        Task<JsonElement> next = client.ExecuteAsync("next", null, Token);
        (string _, long nextId) = await server.HearAsync();
        await server.AnswerAsync(givenId, "1");
        await server.AnswerAsync(nextId, "2");

        Assert.Equal(2, (await next.WaitAsync(Soon, Token)).GetInt32());
    }

    [Fact]
    public async Task An_endless_message_breaks_the_connection_instead_of_filling_memory()
    {
        (FakeQmpServer server, QmpClient client) = await ConnectAsync();
        await using var _ = server;
        await using var __ = client;
        Task<JsonElement> command = client.ExecuteAsync("x", null, Token);
        byte[] block = new byte[1 << 20];
        Array.Fill(block, (byte)'[');
        try
        {
            for (int i = 0; i < 64; i++)
            {
                await server.SayAsync(block);
            }

            Assert.Fail("64 MiB were accepted");
        }
        catch (IOException)
        {
        }

        IOException error = await Assert.ThrowsAsync<IOException>(() => command.WaitAsync(Soon, Token));
        Assert.Contains("more than", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whatever_arrives_every_waiter_is_released()
    {
        await Gen.Byte.Array[0, 200].SampleAsync(async noise =>
        {
            (FakeQmpServer server, QmpClient client) = await ConnectAsync();
            await using var _ = client;
            Task<JsonElement> command = client.ExecuteAsync("x", null, Token);
            await server.SayAsync(noise);
            await server.DisposeAsync();
            await Assert.ThrowsAnyAsync<IOException>(() => command.WaitAsync(Soon, Token));
            await client.Closed.WaitAsync(Soon, Token);
        }, iter: 100, threads: 1);
    }

    [Fact]
    public void A_damaged_message_is_refused_or_read_but_never_breaks_the_reader()
    {
        byte[][] samples =
        [
            Encoding.UTF8.GetBytes(FakeQmpServer.Greeting),
            """{"return": {"a": [1, 2, {"b": "\ud83d\ude00"}]}, "id": 7}"""u8.ToArray(),
            """{"id": 7, "error": {"class": "GenericError", "desc": "no"}}"""u8.ToArray(),
            """{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}"""u8.ToArray(),
        ];
        Gen.Select(Gen.OneOf(samples.Select(Gen.Const).ToArray()), Gen.Int[0, 1000], Gen.Byte, Gen.Int[0, 200]).Sample((sample, at, value, cut) =>
        {
            byte[] damaged = [.. sample];
            damaged[at % damaged.Length] = value;
            ParseOrRefuse(damaged);
            ParseOrRefuse(damaged.AsMemory(0, Math.Min(cut, damaged.Length)));
        }, iter: 20_000);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"return": {}}""")]
    [InlineData("""{"return": {}, "id": "one"}""")]
    [InlineData("""{"event": 5}""")]
    [InlineData("""{"event": "\ud800"}""")]
    public void A_message_of_another_kind_is_refused(string message) =>
        Assert.Throws<InvalidDataException>(() => QmpMessage.Parse(Encoding.UTF8.GetBytes(message)));

    [Fact]
    public void A_message_that_is_nested_too_deeply_is_refused() =>
        Assert.Throws<InvalidDataException>(() => QmpMessage.Parse(Encoding.UTF8.GetBytes(
            $$"""{"return": {{new string('[', 100)}}{{new string(']', 100)}}, "id": 1}""")));

    private static void ParseOrRefuse(ReadOnlyMemory<byte> message)
    {
        try
        {
            QmpMessage.Parse(message);
        }
        catch (InvalidDataException)
        {
        }
    }

    private static async Task<(FakeQmpServer Server, QmpClient Client)> ConnectAsync()
    {
        var server = new FakeQmpServer();
        var client = new QmpClient(server.Client);
        Task negotiating = client.NegotiateAsync(Token);
        await server.GreetAsync();
        await negotiating;
        return (server, client);
    }
}
