using System.Text;
using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class ControlFileTests
{
    private static readonly Gen<string> FieldName =
        Gen.Char["ABCDEFGHIJabcdefghij-0123456789"].Array[1, 12].Select(chars => "X" + new string(chars));

    private static readonly Gen<string> Line =
        Gen.Char["abc äß:#.,-()0123456789 "].Array[1, 30].Select(chars => new string(chars).Trim(' ')).Where(line => line.Length > 0);

    private static readonly Gen<string> Value =
        Line.Array[1, 4].Select(lines => lines[0] + string.Concat(lines[1..].Select(line => "\n " + line)));

    [Fact]
    public void Whatever_is_written_is_read_back_the_same()
    {
        Gen.Select(FieldName, Value).Array[1, 8].Where(fields => fields.DistinctBy(f => f.Item1.ToLowerInvariant()).Count() == fields.Length)
            .Array[1, 5].Sample(
                paragraphs =>
                {
                    ControlParagraph[] written =
                        [.. paragraphs.Select(fields => new ControlParagraph(fields.Select(f => KeyValuePair.Create(f.Item1, f.Item2))))];
                    string text = string.Join('\n', written.Select(paragraph => paragraph.ToString()));
                    ControlParagraph[] read = [.. ControlFile.Parse(text)];
                    Assert.Equal(written.Select(p => p.Fields), read.Select(p => p.Fields));
                },
                iter: 300);
    }

    [Fact]
    public void Any_bytes_are_read_or_refused_but_never_crash()
    {
        Gen.Byte.Array[0, 400].Sample(bytes => ReadAll(bytes), iter: 2000);
        Gen.Char["ab: \t\n#-\r\0"].Array[0, 80].Sample(chars => ReadAll(Encoding.UTF8.GetBytes(chars)), iter: 5000);

        static void ReadAll(byte[] bytes)
        {
            try
            {
                Assert.All(ControlFile.Parse(new MemoryStream(bytes)), paragraph => Assert.NotEmpty(paragraph.Fields));
            }
            catch (VirtigoException e)
            {
                Assert.Equal(FailureKind.Archive, e.Kind);
            }
        }
    }

    [Fact]
    public void Names_compare_without_case_and_further_lines_belong_to_the_value()
    {
        ControlParagraph paragraph = ControlFile.Parse("# comment\nPackage: a\nDescription: short\n long\n .\n end\n").Single();

        Assert.Equal("a", paragraph["PACKAGE"]);
        Assert.Equal("short\n long\n .\n end", paragraph["description"]);
        Assert.Equal(["short", "long", "end"], paragraph.Lines("Description"));
        Assert.Null(paragraph["Missing"]);
        Assert.Equal(2, paragraph.Line);
    }

    [Theory]
    [InlineData(" starts with a space\n", "line 1")]
    [InlineData("A: 1\nno colon\n", "line 2")]
    [InlineData("A: 1\na: 2\n", "given twice")]
    [InlineData(": nameless\n", "no field")]
    public void A_text_that_is_no_deb822_is_refused_with_its_line(string text, string expected)
    {
        var e = Assert.Throws<VirtigoException>(() => ControlFile.Parse(text, "x").ToList());
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_paragraphs_and_fields_without_end_are_refused()
    {
        Assert.Throws<VirtigoException>(() => ControlFile.Parse("A: " + new string('x', ControlFile.MaxLine)).ToList());
        Assert.Throws<VirtigoException>(() => ControlFile.Parse(
            string.Concat(Enumerable.Range(0, ControlFile.MaxFields + 1).Select(i => $"F{i}: 1\n"))).ToList());
        string line = " " + new string('x', ControlFile.MaxLine - 10) + "\n";
        Assert.Throws<VirtigoException>(() => ControlFile.Parse("A:\n" + string.Concat(Enumerable.Repeat(line, 17))).ToList());
    }

    [Fact]
    public void A_field_can_be_replaced_in_its_place_added_and_removed()
    {
        ControlParagraph paragraph = ControlFile.Parse("A: 1\nB: 2\n").Single().With("a", "3").With("C", "4").Without("b");
        Assert.Equal("A: 3\nC: 4\n", paragraph.ToString());
    }
}
