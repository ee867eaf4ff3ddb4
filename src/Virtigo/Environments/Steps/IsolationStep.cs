using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Virtigo.Host;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments.Steps;

/// <summary>
/// Proves, from inside every machine, that nothing but the environment can be reached: a service that the host really offers at that moment,
/// on each of the host's addresses; its router; addresses and names of the internet. Two positive controls make the failures mean something:
/// the host can reach its own service, and each machine can reach a service of another machine. What <c>egress</c> opens is told, and left out;
/// beside it, other ports of the same hosts, and other hosts asked for at their addresses, must be closed.
/// </summary>
internal sealed record IsolationStep : Step
{
    private const int Patience = 4;
    private const int ControlPort = 47611;
    private const int PatienceForRefusal = 20;

    /// <summary>How many of the opened hosts are looked at for what must be closed beside them.</summary>
    private const int MostPlaces = 8;

    /// <summary>A name that nobody can have (RFC 2606).</summary>
    private const string Unlisted = "not-listed.invalid";

    // Addresses that answer on TCP port 53 or 443 for everyone who has a way to the internet.
    private static readonly (string Address, int Port)[] s_internet =
        [("1.1.1.1", 53), ("8.8.8.8", 53), ("9.9.9.9", 443), ("2606:4700:4700::1111", 53), ("2001:4860:4860::8888", 53)];

    private static readonly string[] s_names = ["example.org", "one.one.one.one", "localhost.localdomain.example"];

    /// <summary>Makes the step.</summary>
    /// <param name="file">The environment's file, for its place.</param>
    /// <param name="machines">The environment's machines.</param>
    /// <param name="isOpen">Whether <c>egress</c> opens something.</param>
    public static IsolationStep For(string file, IReadOnlyList<string> machines, bool isOpen = false) => new()
    {
        Place = new StepPlace(file, 1, 1),
        Title = isOpen ? "nothing but the environment and what egress lists can be reached" : "nothing but the environment can be reached",
        Machines = machines,
    };

    /// <inheritdoc/>
    public override async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        using var service = new TcpListener(IPAddress.IPv6Any, 0) { Server = { DualMode = true } };
        service.Start();
        int port = ((IPEndPoint)service.LocalEndpoint).Port;
        IPAddress[] host = HostAddresses();
        await ReachOwnServiceAsync(port, cancellationToken);

        var targets = new List<(string Address, int Port)>(s_internet);
        targets.AddRange(host.Select(address => (address.ToString(), port)));
        targets.AddRange(host.Select(address => (address.ToString(), 22)));
        IReadOnlyList<OutwardPlace> places = context.Target.Places;
        targets.RemoveAll(target => places.Any(place => place.Pattern == target.Address && place.Ports.Contains(target.Port)));
        targets.AddRange(places.Take(MostPlaces).Select(place => (place.Address.ToString(), Enumerable.Range(81, 100).First(each => !place.Ports.Contains(each)))));
        string[] names = [.. s_names.Where(name => !context.Target.Archives.Contains(name) && !places.Any(place => HostName.Fits(place.Pattern, name)))];
        TellWhatIsOpen(context);
        foreach (string machine in Machines)
        {
            await ControlAsync(context, machine, cancellationToken);
            await TryAsync(context, machine, targets, names, [.. places.Take(MostPlaces)], cancellationToken);
        }
    }

    /// <summary>A proof that left out what is open, and did not say so, would be none.</summary>
    private static void TellWhatIsOpen(StepContext context)
    {
        string[] open =
        [
            .. context.Target.Archives.Select(archive => $"the archive {archive}, through the verifying proxy"),
            .. context.Target.Places.Select(place => $"{place.Pattern}, TCP port {string.Join(", ", place.Ports.Order())}, found at {place.Address}"),
        ];
        foreach (string one in open)
        {
            context.Output.Append(System.Text.Encoding.UTF8.GetBytes($"opened by egress: {one}\n"), isError: false);
        }
    }

    private static IPAddress[] HostAddresses() =>
    [
        .. NetworkInterface.GetAllNetworkInterfaces().SelectMany(card => card.GetIPProperties().UnicastAddresses.Select(each => each.Address)
            .Concat(card.GetIPProperties().GatewayAddresses.Select(each => each.Address)))
            .Where(address => !IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal).Distinct(),

        // Where other tools' guests find the host.
        IPAddress.Parse("10.0.2.2"),
    ];

    /// <summary>If the host could not reach its own service, that a machine cannot would prove nothing.</summary>
    private static async Task ReachOwnServiceAsync(int port, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
        }
        catch (SocketException error)
        {
            throw new VirtigoException(FailureKind.Host, $"Isolation cannot be proven: the host does not reach a service of its own: {error.Message}");
        }
    }

    /// <summary>The other machine serves, this one asks: the network works, so what fails next fails for being cut off.</summary>
    private async Task ControlAsync(StepContext context, string machine, CancellationToken cancellationToken)
    {
        string? other = Machines.FirstOrDefault(name => name != machine);
        if (other is null)
        {
            await ExpectAsync(context, machine, $"getent ahostsv4 {machine}.internal >/dev/null && grep -q nameserver /etc/resolv.conf",
                "its own network does not answer, so nothing is proven", cancellationToken);
            return;
        }

        // The command ends when somebody listens: what serves goes on in a child of its own.
        string serve = $$"""
            exec perl -MSocket -e 'socket(my $s, PF_INET, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
                bind($s, sockaddr_in({{ControlPort}}, INADDR_ANY)) or die "bind: $!\n"; listen($s, 5) or die "listen: $!\n";
                $SIG{HUP} = "IGNORE"; defined(my $child = fork) or die "fork: $!\n"; exit 0 if $child;
                open(STDIN, "<", "/dev/null"); open(STDOUT, ">", "/dev/null"); open(STDERR, ">", "/dev/null");
                alarm 60; accept(my $c, $s); print $c "control\n"'
            """;
        await ExpectAsync(context, other, serve, "the service for the positive control does not start", cancellationToken);
        await ExpectAsync(context, machine, $"timeout 30 bash -c 'exec 3<>/dev/tcp/{other}/{ControlPort}; read -r word <&3; test \"$word\" = control'",
            $"{other} cannot be reached, so that others cannot be proves nothing", cancellationToken);
        context.Output.Append(System.Text.Encoding.UTF8.GetBytes($"{machine} -> {other}: reached (positive control)\n"), isError: false);
    }

    private static async Task TryAsync(
        StepContext context, string machine, List<(string Address, int Port)> targets, string[] names, OutwardPlace[] places, CancellationToken cancellationToken)
    {
        string connections = string.Concat(targets.Select(target =>
            $"(timeout {Patience} bash -c 'exec 3<>/dev/tcp/{target.Address}/{target.Port}' 2>/dev/null && echo {target.Address} port {target.Port} REACHED || echo {target.Address} port {target.Port} unreachable) &\n"));
        string lookups = string.Concat(names.Select(name =>
            $"(timeout {Patience} getent ahosts {ShellQuote.Word(name)} >/dev/null && echo {name} RESOLVED || echo {name} unknown) &\n"));

        // The connection itself is taken by Virtigo, which waits for what the machine says; what matters is that nobody answers.
        (string Address, int Port)[] asked = [.. places.Where(place => !place.IsNameless).Select(place => (place.Address.ToString(), WebPort(place))).Where(pair => pair.Item2 > 0)];
        string asking = string.Concat(asked.Select(one =>
            $"(timeout {PatienceForRefusal} bash -c 'exec 3<>/dev/tcp/{one.Address}/{one.Port} && printf \"GET / HTTP/1.1\\r\\nHost: {Unlisted}\\r\\n\\r\\n\" >&3 && head -c 1 <&3 | grep -q .' 2>/dev/null && echo {Unlisted} at {one.Address} port {one.Port} REACHED || echo {Unlisted} at {one.Address} port {one.Port} refused) &\n"));
        CommandResult result = await context.Target.Machine(machine)
            .ExecuteAsync(connections + lookups + asking + "wait", new CommandOptions { Limit = context.CommandLimit }, cancellationToken);
        string[] lines = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
        foreach (string line in lines)
        {
            context.Output.Append(System.Text.Encoding.UTF8.GetBytes($"{machine} -> {line}\n"), isError: false);
        }

        string[] reached = [.. lines.Where(line => line.EndsWith("REACHED", StringComparison.Ordinal) || line.EndsWith("RESOLVED", StringComparison.Ordinal))];
        if (reached.Length > 0 || lines.Length != targets.Count + names.Length + asked.Length)
        {
            throw new StepFailedException(reached.Length > 0
                ? $"{machine} is not cut off: {string.Join("; ", reached)}."
                : FormattableString.Invariant($"{machine} tried {lines.Length} of {targets.Count + names.Length + asked.Length} ways out, so its isolation is not proven."));
        }
    }

    /// <summary>A port of a place at which a server waits for the client to speak; 0 when there may be none.</summary>
    private static int WebPort(OutwardPlace place) => place.Ports.Contains(80) ? 80 : place.Ports.Contains(443) ? 443 : place.IsShared ? place.Ports.First() : 0;

    private static async Task ExpectAsync(StepContext context, string machine, string command, string otherwise, CancellationToken cancellationToken)
    {
        CommandResult result = await context.Target.Machine(machine).ExecuteAsync(command, new CommandOptions { Limit = context.CommandLimit }, cancellationToken);
        if (!result.Succeeded)
        {
            throw new StepFailedException($"{machine}: {otherwise} (exit code {result.ExitCode}: {result.Error.Trim()}).");
        }
    }
}
