using System.Text.RegularExpressions;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>Which of libvirt's drivers a connection is to, as far as the driver here knows it.</summary>
internal enum LibvirtKind
{
    /// <summary>QEMU, as the user who asks.</summary>
    Session,

    /// <summary>QEMU, by the host's own daemon.</summary>
    System,

    /// <summary>QEMU on another host.</summary>
    Remote,

    /// <summary>libvirt's own make-believe: domains that exist in the client only.</summary>
    Test,
}

/// <summary>A connection of libvirt's.</summary>
/// <param name="Text">As it is given to the client.</param>
/// <param name="Kind">What it leads to.</param>
internal sealed partial record LibvirtUri(string Text, LibvirtKind Kind)
{
    /// <summary>Guests run on this host.</summary>
    public bool IsLocal => Kind is LibvirtKind.Session or LibvirtKind.System;

    /// <summary>Reads a connection's URI.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it is none, or not one whose guests can be run.</exception>
    public static LibvirtUri Parse(string text)
    {
        Match match = Pattern().Match(text);
        if (!match.Success)
        {
            throw Refusal("is no URI of libvirt's");
        }

        // What a password would be for is asked for by the transport itself; here it would show in lists of processes.
        string host = match.Groups["host"].Value;
        if (host.Split('@')[0].Contains(':', StringComparison.Ordinal) && host.Contains('@', StringComparison.Ordinal))
        {
            throw new VirtigoException(FailureKind.Usage, "The libvirt URI holds a password, which every user of this host could read.",
                "Leave it out, and use a key or libvirt's auth.conf.");
        }

        string transport = match.Groups["transport"].Value;
        bool elsewhere = host.Length > 0 || transport is not ("" or "unix");
        return (match.Groups["driver"].Value, match.Groups["path"].Value) switch
        {
            ("test", _) when !elsewhere => new LibvirtUri(text, LibvirtKind.Test),
            ("qemu", "/session" or "/system") when elsewhere => new LibvirtUri(text, LibvirtKind.Remote),
            ("qemu", "/session") => new LibvirtUri(text, LibvirtKind.Session),
            ("qemu", "/system") => new LibvirtUri(text, LibvirtKind.System),
            _ => throw Refusal("leads to no driver whose guests Virtigo runs"),
        };

        VirtigoException Refusal(string why) => new(FailureKind.Usage,
            $"'{Shown(text)}' {why}; expected qemu:///session, qemu:///system, qemu+ssh://HOST/system or test:///default.");
    }

    private static string Shown(string text) => new([.. text.Take(200).Select(each => char.IsControl(each) ? '?' : each)]);

    [GeneratedRegex(@"\A(?<driver>[a-z][a-z0-9]*)(\+(?<transport>[a-z0-9]+))?://(?<host>[A-Za-z0-9.@:_\[\]-]*)(?<path>/[!-~]*?)?(\?[!-~]*)?\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
