using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>
/// Carries connections of guests to the hosts that a user has listed, and to nothing else. At the address of one host that host is meant, and a
/// guest that asks it for another (TLS, HTTP) is refused; at the address of many it must say which. UDP and ICMP never come here.
/// </summary>
/// <param name="places">Where guests find hosts.</param>
/// <param name="dialer">Connects from the host.</param>
/// <param name="refusals">Told what was refused, and why.</param>
/// <param name="clock">For limits.</param>
internal sealed class OutwardRelay(IReadOnlyList<OutwardPlace> places, OutwardDialer dialer, RefusalLog refusals, TimeProvider clock)
{
    /// <summary>The most connections served at a time, those included whose guest has gone while the host still tries to connect.</summary>
    public const int MostConnections = 256;

    private readonly Dictionary<Ipv4Address, OutwardPlace> _places = places.ToDictionary(place => place.Address);
    private int _served;

    /// <summary>How long a guest may take to say which of many hosts it means.</summary>
    public TimeSpan NameLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection may stand still in both directions.</summary>
    public TimeSpan IdleLimit { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Hosts and ports that are not reached by saying their name at the address of many: something better serves them.</summary>
    public Func<string, int, bool> IsServedElsewhere { get; init; } = (_, _) => false;

    /// <summary>The place at an address, or null.</summary>
    public OutwardPlace? PlaceAt(Ipv4Address address) => _places.GetValueOrDefault(address);

    /// <summary>Serves one connection to its end. What is refused is reset, and the reason recorded.</summary>
    /// <exception cref="OperationCanceledException">The serving was to end; the caller must reset the connection.</exception>
    public async Task ServeAsync(GuestConnection connection, CancellationToken cancellationToken)
    {
        OutwardPlace place = _places[connection.Address];
        int port = connection.Local.Port;
        try
        {
            if (Interlocked.Increment(ref _served) <= MostConnections)
            {
                await ServeAsync(connection, place, port, cancellationToken);
                return;
            }

            refusals.Add("tcp", place.Pattern, port, "is one too many: as many connections as are allowed are open");
            connection.Abort();
        }
        finally
        {
            Interlocked.Decrement(ref _served);
        }
    }

    private async Task ServeAsync(GuestConnection connection, OutwardPlace place, int port, CancellationToken cancellationToken)
    {
        var first = new FirstBytes(connection.Stream);
        using var pipe = new OutwardPipe(connection, first, IdleLimit, clock, cancellationToken);
        try
        {
            (string host, Func<FirstWords, string?>? check) = place switch
            {
                { IsShared: true } => (NameOf(place, port, await first.ReadNameAsync(NameLimit, clock, pipe.Token)), null),
                { IsNameless: true } => (place.Pattern, null),
                _ => (place.Pattern, (Func<FirstWords, string?>)(words => WhyNotAt(place, words))),
            };

            // Many protocols have the server speak first: where the address tells the host, the way opens before the guest says anything.
            if (host.Length > 0 && await dialer.DialAsync(host, port, reason => refusals.Add("tcp", host, port, reason), pipe.Token) is { } socket)
            {
                await pipe.CarryAsync(socket, check);
                return;
            }
        }
        catch (OutwardRefusedException refused)
        {
            refusals.Add("tcp", place.Pattern, port, refused.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            refusals.Add("tcp", place.Pattern, port, FormattableString.Invariant($"stood still for {IdleLimit.TotalMinutes} minutes, and was ended"));
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            // One side reset it, as it may; so does the other then.
        }

        connection.Abort();
    }

    /// <summary>The host that a guest asks for at the address of many; empty when it went away without a word.</summary>
    private string NameOf(OutwardPlace place, int port, FirstWords words)
    {
        string? wrong = words.Said switch
        {
            { Speech: Speech.Named, Name: var name } => !HostName.Fits(place.Pattern, name) ? $"asks for {name}, which is not listed"
                : IsServedElsewhere(name, port) ? $"asks for {name}, which is reached at its own address only" : null,
            { Speech: Speech.Incomplete } when words is { HasEnded: true, Length: 0 } => null,
            { Speech: Speech.Incomplete } when words.HasEnded => Unsaid,
            _ => WhyBad(words) ?? Unsaid,
        };
        return wrong is null ? words.Said.Name : throw new OutwardRefusedException(wrong);
    }

    private const string Unsaid = "does not say which host it means, as TLS with a server name and HTTP do; list the host by its full name";

    private static string? WhyNotAt(OutwardPlace place, FirstWords words) => words.Said switch
    {
        { Speech: Speech.Named, Name: var name } => name == place.Pattern ? null : $"asks for {name}",
        { Speech: Speech.Incomplete } when !words.IsFull => null,
        _ => WhyBad(words),
    };

    private static string? WhyBad(FirstWords words) => words.Said.Speech switch
    {
        Speech.Malformed => "begins like TLS or HTTP, but is malformed",
        Speech.Incomplete => words.IsFull ? $"does not say a name in its first {SpokenName.MaximumBytes / 1024} KiB" : "does not go on to say which host it means",
        _ => null,
    };
}

/// <summary>A connection that is not to go on.</summary>
/// <param name="reason">Why, as a sentence about the connection without its subject.</param>
internal sealed class OutwardRefusedException(string reason) : Exception(reason);
