using System.Net;
using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>How the host finds and reaches the world outside.</summary>
internal sealed record OutwardWays
{
    /// <summary>The addresses of a name.</summary>
    public Func<string, CancellationToken, Task<IPAddress[]>> ResolveAsync { get; init; } = Dns.GetHostAddressesAsync;

    /// <summary>Connects to an address.</summary>
    public Func<IPEndPoint, CancellationToken, Task<Socket>> ConnectAsync { get; init; } = OpenAsync;

    /// <summary>Whether an address is one of this host's.</summary>
    public Func<IPAddress, bool> IsOwn { get; init; } = OutwardPolicy.IsOwn;

    private static async Task<Socket> OpenAsync(IPEndPoint to, CancellationToken cancellationToken)
    {
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(to, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>
/// Connects from the host to a host that a user has listed. A name is resolved once for each connection, its addresses are checked, and the
/// connection goes to an address that was checked: a name server that answers something else the next time changes nothing.
/// </summary>
/// <param name="ways">How the host reaches others.</param>
/// <param name="clock">For limits.</param>
internal sealed class OutwardDialer(OutwardWays ways, TimeProvider clock)
{
    private const int MostAddresses = 4;

    /// <summary>How long resolving a name, and connecting to one of its addresses, may take.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>Connects.</summary>
    /// <param name="host">A name or an IPv4 address.</param>
    /// <param name="port">The TCP port.</param>
    /// <param name="refused">Called with each reason for which an address was not used, as a sentence about the host without its subject.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The connection; null when there is none, and then at least one reason was told.</returns>
    public async Task<Socket?> DialAsync(string host, int port, Action<string> refused, CancellationToken cancellationToken)
    {
        IPAddress[] addresses = await ResolveAsync(host, refused, cancellationToken);
        string? failure = null;
        foreach (IPAddress address in addresses.Take(MostAddresses))
        {
            if (OutwardPolicy.WhyNot(address, ways.IsOwn) is { } reason)
            {
                refused(address.ToString() == host ? $"is {reason}" : $"resolves to {address}, {reason}");
                continue;
            }

            try
            {
                return await LimitedAsync(token => ways.ConnectAsync(new IPEndPoint(address, port), token), cancellationToken);
            }
            catch (Exception error) when (error is SocketException or TimeoutException)
            {
                failure = $"cannot be reached from this host at {address}: {error.Message}";
            }
        }

        if (failure is not null)
        {
            refused(failure);
        }

        return null;
    }

    private async Task<IPAddress[]> ResolveAsync(string host, Action<string> refused, CancellationToken cancellationToken)
    {
        if (!HostName.IsValid(host))
        {
            return [IPAddress.Parse(host)];
        }

        try
        {
            IPAddress[] found = await LimitedAsync(token => ways.ResolveAsync(host, token), cancellationToken);
            if (found.Length == 0)
            {
                refused("has no address on this host");
            }

            return found;
        }
        catch (Exception error) when (error is SocketException or TimeoutException)
        {
            refused($"cannot be resolved on this host: {error.Message}");
            return [];
        }
    }

    private async Task<T> LimitedAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(s_limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            return await work(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException(FormattableString.Invariant($"no answer within {s_limit.TotalSeconds} s"));
        }
    }
}
