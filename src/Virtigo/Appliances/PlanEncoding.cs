using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>
/// The canonical encoding of a plan, under its fingerprint: the line <c>virtigo-plan-1</c>, then for each value, in a fixed order,
/// <c>key count LF</c> and for each of its items <c>length LF bytes LF</c> (decimal numbers, UTF-8 bytes). A value is one item,
/// an absent value none, a list as many as it has. The disk's layout and
/// what is done in the target follow with the keys that say something, and the fingerprint of the plan that this one builds on. Lengths make the encoding injective: no two plans share one.
/// Left out: origins, and <see cref="AppliancePlan.OtherMirrors"/>, which say where bytes are fetched and cannot show in the image.
/// </summary>
/// <remarks>
/// Password hashes are part of it as crypt text. That gives no hold for guessing a password from a fingerprint:
/// the salt of every hash Virtigo makes is a keyed hash under the user's secret, and nobody else can compute it.
/// </remarks>
internal static class PlanEncoding
{
    public static string Fingerprint(AppliancePlan plan) => Convert.ToHexStringLower(SHA256.HashData(Encode(plan)));

    public static byte[] Encode(AppliancePlan plan)
    {
        using var output = new MemoryStream();
        output.Write("virtigo-plan-1\n"u8);

        void Write(string key, params IReadOnlyList<string> items)
        {
            output.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{key} {items.Count}\n")));
            foreach (string item in items)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(item);
                output.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{bytes.Length}\n")));
                output.Write(bytes);
                output.WriteByte((byte)'\n');
            }
        }

        static IReadOnlyList<string> Optional(string? value) => value is null ? [] : [value];

        Write("name", plan.Name.Value);
        Write("distro", plan.Distribution.Value);
        Write("release", plan.Release.Value);
        Write("arch", plan.Architecture.Value);
        Write("mirror", plan.Mirror.Value.AbsoluteUri);
        Write("security-mirror", plan.SecurityMirror.Value.AbsoluteUri);
        Write("hostname", plan.Hostname.Value);
        Write("domain", plan.Domain.Value);
        Write("packages", [.. plan.Packages.Value.Distinct().Order(StringComparer.Ordinal)]);
        Write("disk", plan.DiskBytes.Value.ToString(CultureInfo.InvariantCulture));
        Write("memory", plan.MemoryMiB.Value.ToString(CultureInfo.InvariantCulture));
        Write("cpus", plan.Cpus.Value.ToString(CultureInfo.InvariantCulture));
        Write("locale", plan.Locale.Value);
        Write("timezone", plan.TimeZone.Value);
        Write("keyboard", plan.Keyboard.Value);
        Write("user", Optional(plan.User.Value?.Name));
        Write("user.password-hash", Optional(plan.User.Value?.PasswordHash));
        Write("user.ssh-keys", plan.User.Value?.SshKeys ?? []);
        Write("root.password-hash", Optional(plan.RootPasswordHash.Value));
        if (plan.Disk.Value != new DebianDisk())
        {
            Write("disk.layout", DiskPlanner.Describe(plan.Disk.Value));
            if (plan.Disk.Value.Passphrase is { } passphrase)
            {
                Write("disk.encrypt", passphrase.Digest);
            }

            Write("firmware", Firmwares.NameOf(plan.Disk.Value.Firmware));
        }

        // What every other hypervisor runs is the same.
        if (plan.InstallMachine() != InstallMachine.Virtio)
        {
            Write("hypervisor", plan.Hypervisor.Value);
        }

        if (plan.Autoinstall is { } autoinstall)
        {
            Write("autoinstall", AutoinstallWriter.Compact(autoinstall));
        }

        foreach ((string key, IReadOnlyList<string> items) in plan.Target.Choices.Canonical())
        {
            Write(key, items);
        }

        if (plan.From is { } from)
        {
            Write("from", from.Value.Fingerprint);
        }

        if (plan.Preseed.Answers.Count + plan.Preseed.Debconf.Count > 0)
        {
            Write("preseed", plan.Preseed.Canonical());
        }

        return output.ToArray();
    }
}
