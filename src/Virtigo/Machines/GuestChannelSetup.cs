using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Machines;

/// <summary>Gets the guest's side of the stream channel running.</summary>
internal static class GuestChannelSetup
{
    private const string Device = "/dev/virtio-ports/io.virtigo.stream";
    private const int NoPerl = 3;
    private const int NoPort = 4;

    // In a unit of its own: what commands start is not to end with the agent, nor the channel with what the kernel kills for memory.
    private const string Install = $"""
        command -v perl >/dev/null || exit 3
        test -e {Device} || exit 4
        umask 077
        mkdir -p /run/virtigo && cat >/run/virtigo/guest-channel.pl || exit 5
        start() {"{"}
            systemd-run --quiet --collect --unit=virtigo-channel --description='Virtigo: commands from the host' \
                -p KillMode=process -p OOMPolicy=continue -p TasksMax=infinity -p StandardOutput=null -p StandardError=journal \
                perl /run/virtigo/guest-channel.pl {Device}
        {"}"}
        if test -d /run/systemd/system; then
            test -e /run/systemd/transient/virtigo-channel.service && systemctl kill -s KILL virtigo-channel.service && sleep 0.2
            start || start && exit 0
        fi
        setsid perl /run/virtigo/guest-channel.pl {Device} </dev/null >/dev/null 2>/run/virtigo/guest-channel.log &
        """;

    // What it said goes to the journal, or to a file where there is none. A unit is active before its program has even begun.
    internal const string Look = """
        { cat /run/virtigo/guest-channel.log; test -d /run/systemd/system && journalctl --no-pager -q -b -o cat -n 8 -u virtigo-channel.service; } 2>/dev/null | tail -c 1500
        systemctl --quiet is-active virtigo-channel.service 2>/dev/null || pgrep -f '^[^ ]*perl /run/virtigo/guest-channel[.]pl' >/dev/null
        """;

    /// <summary>Changes when what is put into guests does.</summary>
    public static string Version => Convert.ToHexStringLower(SHA256.HashData([.. Encoding.UTF8.GetBytes(Install), .. Program()]));

    /// <summary>The guest's side, a perl program.</summary>
    public static byte[] Program()
    {
        using Stream resource = typeof(GuestChannelSetup).Assembly.GetManifestResourceStream("guest-channel.pl")!;
        using var copy = new MemoryStream();
        resource.CopyTo(copy);
        return copy.ToArray();
    }

    /// <summary>Starts it through the agent.</summary>
    /// <returns>False when the guest has no perl or no port, so that there can be no stream channel.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when it does not start.</exception>
    public static async Task<bool> StartAsync(GuestAgent agent, CancellationToken cancellationToken)
    {
        try
        {
            GuestCommandResult result = await agent.RunAsync("/bin/sh", ["-c", Install], Program(), cancellationToken);
            return result.ExitCode switch
            {
                0 => true,
                NoPerl or NoPort => false,
                _ => throw new VirtigoException(FailureKind.Guest,
                    $"The stream channel does not start in the guest: {ConsoleText.Printable(result.ErrorText).Trim()} (exit code {result.ExitCode})"),
            };
        }
        catch (Exception error) when (error is IOException or InvalidDataException or GuestAgentException)
        {
            throw new VirtigoException(FailureKind.Guest, $"The stream channel cannot be started in the guest: {error.Message}", inner: error);
        }
    }

    /// <summary>Asks the agent about the guest's side that does not answer.</summary>
    /// <returns>Whether its program runs, and the last that it and its unit said, without control characters.</returns>
    public static async Task<(bool Runs, string Said)> LookAsync(GuestAgent agent, CancellationToken cancellationToken)
    {
        GuestCommandResult result = await agent.RunAsync("/bin/sh", ["-c", Look], cancellationToken);
        return (result.ExitCode == 0, ConsoleText.Printable(result.OutputText).Trim());
    }
}
