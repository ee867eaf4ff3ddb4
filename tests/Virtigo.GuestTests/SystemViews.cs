using System.Text.RegularExpressions;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>What two installed systems are compared by.</summary>
internal static partial class SystemViews
{
    /// <summary>What is compared, by the command that shows it.</summary>
    private static readonly Dictionary<string, string> Views = new()
    {
        ["packages"] = "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\\n'",
        ["units"] = "systemctl list-unit-files --no-legend --no-pager | awk '{print $1, $2}' | sort",
        ["users"] = "getent passwd; getent group",
        ["fstab"] = "grep -v ^# /etc/fstab",
        ["boot files"] = "cd /boot && find . -type f | sort",
        ["initial file system"] = "lsinitramfs /initrd.img | sort",
        ["boot loader"] = "cat /etc/default/grub; grep -E 'linux|initrd' /boot/grub/grub.cfg",
        ["apt sources"] = "grep -h ^deb /etc/apt/sources.list; ls /etc/apt/apt.conf.d",
        ["locale and zone"] = "cat /etc/locale.conf /etc/default/locale 2>/dev/null; readlink -f /etc/localtime; cat /etc/default/keyboard 2>/dev/null",
        ["network"] = "grep -v ^# /etc/network/interfaces; cat /etc/hosts",
        ["modules"] = "grep -v ^# /etc/modules /etc/initramfs-tools/modules; ls /etc/initramfs-tools/conf.d",
    };

    /// <summary>Fails with every difference between two systems.</summary>
    public static void AssertSame(Dictionary<string, string> expected, Dictionary<string, string> actual)
    {
        string[] differences = [.. Views.Keys.Where(view => actual[view] != expected[view]).Select(view => Difference(view, expected[view], actual[view]))];
        Assert.True(differences.Length == 0, string.Join("\n\n", differences));
    }

    /// <summary>Boots a copy of a disk and looks.</summary>
    public static async Task<Dictionary<string, string>> LookAsync(Lab lab, string disk)
    {
        await using BootedCopy machine = await lab.BootAsync(disk);
        var seen = new Dictionary<string, string>();
        foreach ((string view, string command) in Views)
        {
            seen[view] = Uuid().Replace(await machine.ShellAsync(command, TestContext.Current.CancellationToken), "UUID");
        }

        return seen;
    }

    private static string Difference(string view, string expected, string actual)
    {
        string[] before = expected.Split('\n'), after = actual.Split('\n');
        return $"{view}:\n" + string.Join('\n', before.Except(after).Take(40).Select(line => "- " + line)
            .Concat(after.Except(before).Take(40).Select(line => "+ " + line)));
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Uuid();
}
