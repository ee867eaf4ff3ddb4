using System.Text.RegularExpressions;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>The faster install leads to the same system as the plain installer with the same choices.</summary>
[Trait(Tiers.Name, Tiers.Thorough)]
public sealed partial class SameAsPlainInstallTests(Lab lab)
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

    [Fact]
    public async Task The_installed_system_is_the_same()
    {
        Task<Dictionary<string, string>> plain = LookAsync(await lab.PlainDisk);
        StoredImage image = await lab.Golden;
        Dictionary<string, string> ours = await LookAsync(image.DiskPath);
        Dictionary<string, string> theirs = await plain;

        string[] differences = [.. Views.Keys.Where(view => ours[view] != theirs[view]).Select(view => Difference(view, theirs[view], ours[view]))];
        Assert.True(differences.Length == 0, string.Join("\n\n", differences));
    }

    private static string Difference(string view, string plain, string ours)
    {
        string[] before = plain.Split('\n'), after = ours.Split('\n');
        return $"{view}:\n" + string.Join('\n', before.Except(after).Take(40).Select(line => "- " + line)
            .Concat(after.Except(before).Take(40).Select(line => "+ " + line)));
    }

    private async Task<Dictionary<string, string>> LookAsync(string disk)
    {
        await using BootedCopy machine = await lab.BootAsync(disk);
        var seen = new Dictionary<string, string>();
        foreach ((string view, string command) in Views)
        {
            seen[view] = Uuid().Replace(await machine.ShellAsync(command, TestContext.Current.CancellationToken), "UUID");
        }

        return seen;
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Uuid();
}
