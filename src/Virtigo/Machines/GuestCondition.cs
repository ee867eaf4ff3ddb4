using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>What can be waited for inside a guest.</summary>
internal enum GuestConditionKind
{
    /// <summary>A systemd unit is active.</summary>
    Unit,

    /// <summary>Something listens on a TCP port.</summary>
    Port,

    /// <summary>Nothing listens on a TCP port.</summary>
    ClosedPort,

    /// <summary>A file or folder exists.</summary>
    File,

    /// <summary>A shell command succeeds.</summary>
    Command,

    /// <summary>A shell command fails.</summary>
    FailingCommand,
}

/// <summary>A condition inside a guest.</summary>
/// <param name="Kind">What kind.</param>
/// <param name="Subject">The unit, port, path or command.</param>
internal sealed record GuestCondition(GuestConditionKind Kind, string Subject)
{
    /// <summary>The condition as the end of "did not happen: ".</summary>
    public string Description => Kind switch
    {
        GuestConditionKind.Unit => $"unit {Subject} to be active",
        GuestConditionKind.Port => $"something to listen on port {Subject}",
        GuestConditionKind.ClosedPort => $"nothing to listen on port {Subject}",
        GuestConditionKind.File => $"{Subject} to exist",
        GuestConditionKind.Command => $"\"{Subject}\" to succeed",
        _ => $"\"{Subject}\" to fail",
    };

    /// <summary>A shell command that succeeds when the condition holds, and prints what it saw; for guests in which nothing can watch.</summary>
    public string ShellTest => Kind switch
    {
        GuestConditionKind.Unit =>
            $"s=$(systemctl show -p ActiveState --value -- {ShellQuote.Word(Subject)} 2>&1); echo \"$s\"; test \"$s\" = active",
        GuestConditionKind.Port => $"{Listening()} && echo open || {{ echo closed; false; }}",
        GuestConditionKind.ClosedPort => $"{Listening()} && {{ echo open; false; }} || echo closed",
        GuestConditionKind.File => $"test -e {ShellQuote.Word(Subject)} || {{ echo absent; false; }}",
        GuestConditionKind.Command => Subject,
        _ => $"! {{ {Subject}\n}}",
    };

    private string Listening()
    {
        string port = int.Parse(Subject, CultureInfo.InvariantCulture).ToString("X4", CultureInfo.InvariantCulture);
        return $"cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q '^ *[0-9]*: [0-9A-F]*:{port} [0-9A-F]*:0000 0A '";
    }
}
